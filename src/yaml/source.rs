//! A file's text, and places in it.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use super::finding::{Code, Finding};

/// A stretch of a source's text, in bytes: from `start` up to, not including, `end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub start: usize,
    pub end: usize,
}

impl Place {
    /// From `start` up to, not including, `end`.
    pub const fn new(start: usize, end: usize) -> Place {
        Place { start, end }
    }

    /// A part of this place, counted from its own start.
    pub fn part(self, start: usize, end: usize) -> Place {
        Place { start: (self.start + start).min(self.end), end: (self.start + end).min(self.end) }
    }
}

/// A line and a column, both from 1; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

/// A file's text.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// As the user named it.
    pub file: String,
    /// Without a byte order mark.
    pub text: String,
}

impl Source {
    /// The largest file that is read, in bytes. An experiment is a page; a megabyte is a mistake.
    pub const LIMIT: u64 = 1 << 20;

    /// A text that is in memory already.
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Arc<Source> {
        let mut text = text.into();
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        Arc::new(Source { file: file.into(), text })
    }

    /// Reads a file that another file names: a pipe or a device, which may never end, is refused.
    ///
    /// # Errors
    /// As [`Source::open`].
    pub fn open_named(path: &Path) -> Result<Arc<Source>, Box<Finding>> {
        match std::fs::metadata(path) {
            Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => {
                let source = Source::new(path.display().to_string(), "");
                let finding =
                    Finding::new(Code::UnreadableFile, &source, Place::default(), "this is not a regular file");
                Err(Box::new(finding.help("name a file")))
            }
            _ => Source::open(path),
        }
    }

    /// Reads a file. One that is absent, larger than [`Source::LIMIT`] or not UTF-8 is a finding; of a large one no
    /// more than the limit is read, whatever its metadata says.
    pub fn open(path: &Path) -> Result<Arc<Source>, Box<Finding>> {
        let name = path.display().to_string();
        let refuse = |code, what: String, help: &str| {
            Box::new(Finding::new(code, &Source::new(name.clone(), ""), Place::default(), what).help(help))
        };
        let unreadable = |error: std::io::Error| {
            let (what, help) = match error.kind() {
                std::io::ErrorKind::NotFound => ("the file does not exist".into(), "check its path"),
                std::io::ErrorKind::PermissionDenied => ("the file may not be read".into(), "check its permissions"),
                _ => (format!("the file cannot be read: {error}"), ""),
            };
            refuse(Code::UnreadableFile, what, help)
        };
        let too_large = || {
            let what = format!("the file is larger than {} KiB", Source::LIMIT / 1024);
            refuse(Code::TooLarge, what, "check that it is the right file, or split it")
        };
        // A named pipe may never end; what a shell passes as a file lies in these folders.
        let passed = path.starts_with("/dev") || path.starts_with("/proc");
        if std::fs::metadata(path).is_ok_and(|it| !it.is_file() && !it.is_dir()) && !passed {
            return Err(refuse(Code::UnreadableFile, "this is not a regular file".into(), "name a file"));
        }
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if metadata.is_dir() {
            return Err(refuse(Code::UnreadableFile, "this is a directory".into(), "name a file in it"));
        }
        if metadata.len() > Source::LIMIT {
            return Err(too_large());
        }
        let mut bytes = Vec::with_capacity(metadata.len() as usize);
        // A pipe or a device has no length to look at beforehand.
        file.take(Source::LIMIT + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > Source::LIMIT {
            return Err(too_large());
        }
        Source::from_bytes(&name, bytes)
    }

    /// The text of bytes that must be UTF-8, with or without a byte order mark.
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Arc<Source>, Box<Finding>> {
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Source::new(name, text)),
            Err(error) => {
                let bad = error.utf8_error().valid_up_to();
                let bytes = error.as_bytes();
                let help = match bytes {
                    [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "it looks like UTF-16: save it as UTF-8",
                    _ => "save the file as UTF-8",
                };
                let what = format!("the byte 0x{:02x} is not UTF-8", bytes.get(bad).copied().unwrap_or_default());
                let source = Source::new(name, String::from_utf8_lossy(bytes));
                // A byte order mark that was taken off moves the text.
                let at = bad - if bytes.starts_with(b"\xef\xbb\xbf") { 3.min(bad) } else { 0 };
                let at = Place::new(at, at + '\u{fffd}'.len_utf8());
                Err(Box::new(Finding::new(Code::NotUtf8, &source, at, what).help(help)))
            }
        }
    }

    /// The text of a place; a place that is not one of this source's gives as much as there is.
    pub fn slice(&self, place: Place) -> &str {
        let place = self.clamp(place);
        &self.text[place.start..place.end]
    }

    /// The line and column of a byte of the text.
    pub fn position(&self, byte: usize) -> Position {
        let before = &self.text[..self.floor(byte)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }

    /// The place, moved to lie within the text and on whole characters.
    pub(super) fn clamp(&self, place: Place) -> Place {
        let start = self.floor(place.start);
        let mut end = place.end.clamp(start, self.text.len());
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        Place { start, end }
    }

    fn floor(&self, byte: usize) -> usize {
        self.text.floor_char_boundary(byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_counts_characters() {
        let source = Source::new("x.yaml", "\u{feff}é: 1\r\nb: ü2\r\n");
        let at = source.text.find('2').unwrap();
        assert_eq!(source.position(at), Position { line: 2, column: 5 });
        assert_eq!(source.position(9_999), Position { line: 3, column: 1 });
        assert_eq!(source.slice(Place::new(1, 3)), "é:");
    }

    #[test]
    fn a_file_that_is_too_large_is_refused_unread() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("big.yaml");
        std::fs::File::create(&path).unwrap().set_len(100 << 20).unwrap();
        assert_eq!(Source::open(&path).unwrap_err().code, Code::TooLarge);
        assert_eq!(Source::open(folder.path()).unwrap_err().code, Code::UnreadableFile);
        assert_eq!(Source::open(&folder.path().join("none.yaml")).unwrap_err().code, Code::UnreadableFile);
    }

    #[cfg(unix)]
    #[test]
    fn an_endless_file_is_refused() {
        assert_eq!(Source::open(Path::new("/dev/zero")).unwrap_err().code, Code::TooLarge);
    }

    #[test]
    fn bytes_that_are_not_text_have_a_place() {
        let finding = Source::from_bytes("x.yaml", b"\xef\xbb\xbfa: 1\nb: \xe9\n".to_vec()).unwrap_err();
        assert_eq!(finding.source.position(finding.at.start), Position { line: 2, column: 4 });
        assert!(Source::from_bytes("x.yaml", b"\xff\xfea\0".to_vec()).unwrap_err().to_string().contains("UTF-16"));
    }
}
