//! Files that only their owner may read: what squall writes into `.squall`. No symbolic link is followed, so that no other user
//! decides where it is written.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// Read, write and search for the owner.
const FOLDER: u32 = 0o700;
/// Read and write for the owner.
const FILE: u32 = 0o600;
/// What a file has that others may read as well, as far as the umask allows.
const SHARED: u32 = 0o666;

/// Makes a folder, with those above it, that only its owner may look into. One that is there is closed to others.
///
/// # Errors
/// It cannot be made, or it is a symbolic link.
pub fn folder(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => Err(is_link()),
        Ok(found) => close(path, &found.permissions(), FOLDER),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(FOLDER).create(path)
        }
        Err(error) => Err(error),
    }
}

/// Opens a file to write that only its owner may read, and makes it when it is not there. What is in it stays.
///
/// # Errors
/// It cannot be opened, or it is a symbolic link.
pub fn file(path: &Path) -> io::Result<File> {
    let file = open(path, FILE, false)?;
    close(path, &file.metadata()?.permissions(), FILE)?;
    Ok(file)
}

/// Writes a whole file that only its owner may read.
///
/// # Errors
/// It cannot be written, or it is a symbolic link.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = open(path, FILE, true)?;
    close(path, &file.metadata()?.permissions(), FILE)?;
    file.write_all(text.as_bytes())
}

/// Writes a whole file that others may read, such as a report into a folder named on the command line. It follows no link either.
///
/// # Errors
/// It cannot be written, or it is a symbolic link.
pub fn write_for_others(path: &Path, text: &str) -> io::Result<()> {
    open(path, SHARED, true)?.write_all(text.as_bytes())
}

fn open(path: &Path, mode: u32, truncate: bool) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    let opened =
        OpenOptions::new().write(true).create(true).truncate(truncate).mode(mode).custom_flags(flags).open(path);
    match fs::symlink_metadata(path) {
        Ok(found) if opened.is_err() && found.is_symlink() => Err(is_link()),
        _ => opened,
    }
}

/// Takes the rights of others away, where an older squall or a wide umask left some.
fn close(path: &Path, found: &Permissions, mode: u32) -> io::Result<()> {
    match found.mode() & 0o077 {
        0 => Ok(()),
        _ => fs::set_permissions(path, Permissions::from_mode(mode)),
    }
}

fn is_link() -> io::Error {
    io::Error::other("it is a symbolic link, which squall does not follow here")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn only_the_owner_may_read_what_is_new_and_what_was_there() {
        let root = tempfile::tempdir().unwrap();
        let own = root.path().join("a/.squall");
        folder(&own).unwrap();
        write(&own.join("new"), "secret").unwrap();
        file(&own.join("journal")).unwrap();
        assert_eq!([mode(&own), mode(&own.join("new")), mode(&own.join("journal"))], [0o700, 0o600, 0o600]);
        fs::write(own.join("old"), "a longer text").unwrap();
        fs::set_permissions(own.join("old"), Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(&own, Permissions::from_mode(0o755)).unwrap();
        folder(&own).unwrap();
        file(&own.join("old")).unwrap();
        assert_eq!(fs::read_to_string(own.join("old")).unwrap(), "a longer text");
        write(&own.join("old"), "secret").unwrap();
        assert_eq!([mode(&own), mode(&own.join("old"))], [0o700, 0o600]);
        assert_eq!(fs::read_to_string(own.join("old")).unwrap(), "secret");
    }

    #[test]
    fn no_link_is_followed() {
        let root = tempfile::tempdir().unwrap();
        let (victim, link) = (root.path().join("victim"), root.path().join("link"));
        fs::write(&victim, "theirs").unwrap();
        symlink(&victim, &link).unwrap();
        for tried in [write(&link, "x"), write_for_others(&link, "x"), file(&link).map(drop)] {
            assert!(tried.unwrap_err().to_string().contains("symbolic link"));
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), "theirs");
        let (elsewhere, folder_link) = (root.path().join("elsewhere"), root.path().join(".squall"));
        fs::create_dir(&elsewhere).unwrap();
        symlink(&elsewhere, &folder_link).unwrap();
        assert!(folder(&folder_link).unwrap_err().to_string().contains("symbolic link"));
    }
}
