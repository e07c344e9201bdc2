//! `squall layer`: its zips and what it prints, without an account.

#![expect(clippy::unwrap_used, reason = "these are tests")]

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// The head of a static program for a machine: 62 is x86_64, 183 is arm64.
fn program(machine: u8) -> Vec<u8> {
    let mut bytes = vec![0; 120];
    bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    (bytes[18], bytes[32], bytes[54], bytes[56], bytes[64]) = (machine, 64, 56, 1, 1);
    bytes
}

/// A folder with a crate of the layer that was built, as far as `squall layer build` looks.
fn built() -> TempDir {
    let folder = TempDir::new().unwrap();
    let write = |file: &str, bytes: &[u8]| {
        let file = folder.path().join("layer").join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    };
    write("opt/squall-layer", b"#!/bin/sh\nexec \"$@\"\n");
    write("target/x86_64-unknown-linux-musl/release/squall-layer", &program(62));
    write("target/aarch64-unknown-linux-musl/release/squall-layer", &program(183));
    folder
}

fn squall(folder: &Path, arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_squall")).arg("layer").args(arguments).current_dir(folder).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

#[test]
fn the_zips_are_the_same_byte_for_byte_and_publishing_shows_the_commands() {
    let folder = built();
    let zip = |to: &str| std::fs::read(folder.path().join(to).join("squall-layer-arm64.zip")).unwrap();
    let (exit, out, err) = squall(folder.path(), &["build"]);
    assert_eq!(exit, 0, "{err}");
    assert_eq!(out.lines().filter(|line| line.contains("bytes  sha256 ")).count(), 2, "{out}");
    assert_eq!(squall(folder.path(), &["build", "--to", "again", "--architecture", "arm64"]).0, 0);
    assert_eq!(zip("layer/target/layer"), zip("again"));
    assert!(!folder.path().join("again/squall-layer-x86_64.zip").exists());

    let (exit, out, _) = squall(folder.path(), &["publish"]);
    assert_eq!((exit, out.matches("aws lambda publish-layer-version").count()), (0, 2), "{out}");
    assert!(out.contains("--zip-file fileb://layer/target/layer/squall-layer-x86_64.zip\n"), "{out}");
    let (exit, out, _) = squall(folder.path(), &["publish", "--cloudformation", "--architecture", "arm64"]);
    assert!(exit == 0 && out.contains("Type: AWS::Lambda::LayerVersion") && !out.contains("x86_64"), "{out}");
    // The sandbox has no layers to publish.
    let (exit, _, err) = squall(folder.path(), &["publish", "--yes"]);
    assert!(exit == 3 && err.contains("no AWS account"), "{err}");
    let (exit, _, err) = squall(folder.path(), &["doctor", "OrderFunction"]);
    assert!(exit == 3 && err.contains("no AWS account"), "{err}");
}

#[test]
fn what_is_not_there_or_is_another_binary_is_refused_before_anything_is_written() {
    let folder = built();
    let arm = folder.path().join("layer/target/aarch64-unknown-linux-musl/release/squall-layer");
    std::fs::write(&arm, program(62)).unwrap();
    let (exit, _, err) = squall(folder.path(), &["build"]);
    assert!(exit == 3 && err.contains("another architecture than arm64"), "{err}");
    std::fs::remove_file(&arm).unwrap();
    let (exit, _, err) = squall(folder.path(), &["build"]);
    assert!(exit == 3 && err.contains("next: build it first: layer/build.sh arm64"), "{err}");
    assert!(!folder.path().join("layer/target/layer").exists());
    let (exit, _, err) = squall(folder.path(), &["publish"]);
    assert!(exit == 3 && err.contains("squall layer build"), "{err}");
}
