//! Passwords: read from files that only their owner can read, and never shown again.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use secrecy::SecretString;

use super::value::Parsed;

/// No password is longer; a log or a key store named by mistake is refused instead of read whole.
const MOST_BYTES: u64 = 4096;

/// The password in a file: UTF-8, without a byte order mark and without one newline at the end. What lies in the folder
/// that systemd made for this service's credentials may be readable by the file's group.
pub(super) fn read(path: &Path, credentials: Option<&Path>) -> Parsed<SecretString> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| {
        (
            format!("the password file {shown} cannot be read: {error}"),
            "correct the path, or let this account read it".to_owned(),
        )
    };
    let mut file = File::open(path).map_err(unreadable)?;
    // Asked of the open file, so that what is checked is what is read.
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err((format!("the password file {shown} is a folder"), "name a file".to_owned()));
    }
    private(&metadata, path, credentials.is_some_and(|folder| path.parent() == Some(folder)))?;
    let mut bytes = Vec::new();
    file.by_ref().take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err((
            format!("the password file {shown} is longer than {MOST_BYTES} bytes"),
            "name the file that holds nothing but the password".to_owned(),
        ));
    }
    let Ok(text) = String::from_utf8(bytes) else {
        return Err((format!("the password file {shown} is not UTF-8"), "save it as UTF-8".to_owned()));
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    if text.is_empty() {
        return Err((format!("the password file {shown} is empty"), "write the password into it".to_owned()));
    }
    usable(text).map_err(|(_, mend)| {
        (format!("the password file {shown} holds a control character, or more than one line"), mend)
    })
}

/// The password, unless HTTP's Basic authentication and database protocols could not carry it.
pub(super) fn usable(text: &str) -> Parsed<SecretString> {
    if text.chars().any(char::is_control) {
        return Err((
            "the password contains a control character".to_owned(),
            "give the password alone, on one line".to_owned(),
        ));
    }
    Ok(SecretString::from(text))
}

#[cfg(unix)]
fn private(metadata: &std::fs::Metadata, path: &Path, is_credential: bool) -> Parsed<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = metadata.permissions().mode() & 0o777;
    // systemd lets the service in by an access list, whose mask stands where the group's rights do: mode 440, of root.
    let closed = if is_credential { 0o037 } else { 0o077 };
    if mode & closed == 0 {
        return Ok(());
    }
    let shown = path.display();
    Err((
        format!("the password file {shown} is open to other accounts (mode {mode:03o})"),
        format!("run: chmod 600 {shown}"),
    ))
}

#[cfg(not(unix))]
fn private(_: &std::fs::Metadata, _: &Path, _: bool) -> Parsed<()> {
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn one_newline_and_a_byte_order_mark_are_cut_and_nothing_else() {
        for (content, password) in [
            ("s3cret", "s3cret"),
            ("s3cret\n", "s3cret"),
            ("s3cret\r\n", "s3cret"),
            ("\u{feff}s3cret\n", "s3cret"),
            (" s3cret \n", " s3cret "),
            ("pässwörd", "pässwörd"),
        ] {
            assert_eq!(read_file(content.as_bytes(), 0o600).unwrap().expose_secret(), password);
        }
    }

    #[test]
    fn what_is_no_password_is_refused() {
        for (content, mode, what) in [
            (&b""[..], 0o600, "is empty"),
            (b"\n", 0o600, "is empty"),
            (b"s3cret\n\n", 0o600, "more than one line"),
            (b"user\ns3cret\n", 0o600, "more than one line"),
            (b"\xff\xfe", 0o600, "is not UTF-8"),
            (&[b'x'; 5000], 0o600, "longer than 4096 bytes"),
            (b"s3cret", 0o640, "open to other accounts (mode 640)"),
            (b"s3cret", 0o604, "open to other accounts (mode 604)"),
        ] {
            let (said, mend) = read_file(content, mode).unwrap_err();
            assert!(said.contains(what), "{said}");
            assert!(!said.contains("s3cret") && !mend.contains("s3cret"));
        }
    }

    #[test]
    fn a_folder_and_an_absent_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read(folder.path(), None).unwrap_err().0.contains("is a folder"));
        assert!(read(&folder.path().join("absent"), None).unwrap_err().0.contains("cannot be read"));
    }

    #[test]
    fn a_credential_may_have_the_mode_that_systemd_gives_it_and_no_wider_one() {
        let folder = tempfile::tempdir().unwrap();
        for (mode, credentials, is_read) in [
            (0o440, Some(folder.path()), true),
            (0o400, Some(folder.path()), true),
            (0o444, Some(folder.path()), false),
            (0o460, Some(folder.path()), false),
            (0o440, folder.path().parent(), false),
            (0o440, None, false),
        ] {
            let path = folder.path().join("vemsync.password");
            drop(std::fs::remove_file(&path));
            std::fs::write(&path, "s3cret").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read(&path, credentials).is_ok(), is_read, "{mode:o} {credentials:?}");
        }
    }

    fn read_file(content: &[u8], mode: u32) -> Parsed<SecretString> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        read(&path, None)
    }
}
