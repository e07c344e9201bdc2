//! The zip of a layer: the same bytes for the same files, whenever and wherever it is made.
//!
//! Files are stored as they are, without compression, so that the bytes depend on no compressor; order, times and modes are fixed.
//! The format is that of <https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT>, in its oldest form.

use super::Architecture;

/// Why a file is not the layer's binary.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTheBinary {
    /// It is something else altogether.
    #[error("not a 64-bit Linux program")]
    NoProgram,
    /// It is for another processor.
    #[error("built for another architecture than {0}")]
    OtherMachine(Architecture),
    /// It would need the C library of the system that it runs on.
    #[error("not static: it needs a loader and libraries of the system")]
    NotStatic,
}

/// The zip with a binary and the wrapper script, as Lambda unpacks it into `/opt`.
///
/// # Errors
/// When the binary is not a static one for this architecture.
pub fn layer(architecture: Architecture, binary: &[u8], script: &[u8]) -> Result<Vec<u8>, NotTheBinary> {
    check(architecture, binary)?;
    Ok(zip(&[("squall-layer", script), ("squall-layer.d/squall-layer", binary)]))
}

/// Reads the head of an ELF file and its program headers.
fn check(architecture: Architecture, binary: &[u8]) -> Result<(), NotTheBinary> {
    /// `PT_INTERP`: the program asks for a loader.
    const INTERPRETER: u32 = 3;
    let number = |at: usize| Some(u16::from_le_bytes(binary.get(at..at + 2)?.try_into().ok()?));
    // A 64-bit, little-endian file of version 1.
    if binary.get(..7) != Some(b"\x7fELF\x02\x01\x01") {
        return Err(NotTheBinary::NoProgram);
    }
    if number(18) != Some(architecture.machine()) {
        return Err(NotTheBinary::OtherMachine(architecture));
    }
    let table = binary.get(32..40).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
    let table = table.and_then(|at| usize::try_from(at).ok()).ok_or(NotTheBinary::NoProgram)?;
    let (size, count) = number(54).zip(number(56)).ok_or(NotTheBinary::NoProgram)?;
    for header in 0..usize::from(count) {
        let at = table.saturating_add(header.saturating_mul(usize::from(size)));
        let kind = binary.get(at..at.saturating_add(4)).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes);
        match kind {
            None => return Err(NotTheBinary::NoProgram),
            Some(INTERPRETER) => return Err(NotTheBinary::NotStatic),
            Some(_) => {}
        }
    }
    Ok(())
}

/// Midnight of 1980-01-01, the first moment that the format can say, as time and date.
const MADE: [u16; 2] = [0, 0x21];
/// Version 1.0 of the format; made on Unix, so that modes count.
const VERSION: u16 = 10;
const MADE_BY: u16 = 3 << 8 | VERSION;
/// A regular file that everyone may read and execute.
const MODE: u32 = 0o100_755;

/// A zip of these files, in this order.
fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let at = len(&bytes);
        let common: Vec<u8> = [
            shorts(&[VERSION, 0, 0]),
            shorts(&MADE),
            [crc32(content), len(content), len(content)].map(u32::to_le_bytes).concat(),
            // The name's length, and none of an extra field.
            shorts(&[u16::try_from(name.len()).unwrap_or(u16::MAX), 0]),
        ]
        .concat();
        bytes.extend_from_slice(b"PK\x03\x04");
        bytes.extend_from_slice(&common);
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(content);

        directory.extend_from_slice(b"PK\x01\x02");
        directory.extend_from_slice(&shorts(&[MADE_BY]));
        directory.extend_from_slice(&common);
        // No comment, first disk, no inner attributes.
        directory.extend_from_slice(&shorts(&[0, 0, 0]));
        directory.extend_from_slice(&[MODE << 16, at].map(u32::to_le_bytes).concat());
        directory.extend_from_slice(name.as_bytes());
    }
    let count = u16::try_from(files.len()).unwrap_or(u16::MAX);
    let (size, at) = (len(&directory), len(&bytes));
    bytes.append(&mut directory);
    bytes.extend_from_slice(b"PK\x05\x06");
    bytes.extend_from_slice(&shorts(&[0, 0, count, count]));
    bytes.extend_from_slice(&[size, at].map(u32::to_le_bytes).concat());
    bytes.extend_from_slice(&shorts(&[0]));
    bytes
}

fn shorts(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn len(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// The checksum of the format: CRC-32 with the reversed polynomial `0xedb88320`.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    let table: [u32; 256] =
        std::array::from_fn(|byte| (0..8).fold(u32::try_from(byte).unwrap_or(0), |crc, _| step(crc)));
    let over = |crc: u32, byte: &u8| {
        let place = usize::from(crc.to_le_bytes()[0] ^ byte);
        crc >> 8 ^ table.get(place).copied().unwrap_or(0)
    };
    !bytes.iter().fold(u32::MAX, over)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &str = "504b03040a0000000000000021001d9dfb040a0000000a0000000c000000737175616c6c2d6c6179657223212f62696e2f73\
         680a504b03040a00000000000000210051c43aa7040000000400000003000000642f627f454c46504b01020a030a00000000\
         00000021001d9dfb040a0000000a0000000c0000000000000000000000ed8100000000737175616c6c2d6c61796572504b01\
         020a030a00000000000000210051c43aa70400000004000000030000000000000000000000ed8134000000642f62504b0506\
         00000000020002006b000000590000000000";

    /// The head of a static program for a machine, with one program header of a kind.
    fn program(machine: u16, kind: u32) -> Vec<u8> {
        let mut bytes = vec![0; 120];
        bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes[32..40].copy_from_slice(&64_u64.to_le_bytes());
        bytes[54..58].copy_from_slice(&shorts(&[56, 1]));
        bytes[64..68].copy_from_slice(&kind.to_le_bytes());
        bytes
    }

    #[test]
    fn the_checksum_is_that_of_the_format() {
        // The check value of CRC-32/ISO-HDLC (<https://reveng.sourceforge.io/crc-catalogue/17plus.htm>).
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn the_same_files_make_the_same_bytes() {
        let zip = || zip(&[("squall-layer", b"#!/bin/sh\n"), ("d/b", b"\x7fELF")]);
        assert_eq!(zip(), zip());
        // Written down once, and read by Python's zipfile then: other bytes would be another layer for every user.
        let hex: String = zip().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, GOLDEN);
    }

    #[test]
    fn only_a_static_binary_of_the_architecture_goes_in() {
        let no = |bytes: &[u8]| layer(Architecture::X86, bytes, b"").unwrap_err();
        assert_eq!(no(b""), NotTheBinary::NoProgram);
        assert_eq!(no(b"#!/bin/sh\n"), NotTheBinary::NoProgram);
        assert_eq!(no(&program(62, 1)[..60]), NotTheBinary::NoProgram);
        assert_eq!(no(&program(183, 1)), NotTheBinary::OtherMachine(Architecture::X86));
        assert_eq!(no(&program(62, 3)), NotTheBinary::NotStatic);
    }
}
