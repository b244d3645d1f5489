//! Output into a file that is either complete or as it was.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::Builder;

/// As many links as Linux follows.
const MOST_LINKS: usize = 40;

/// Writes a file by way of a temporary one beside it, which takes its place once it is complete and on the disk: if
/// anything fails, what was there stays, and nothing else is left. Links are followed. What is not a regular file, such
/// as a pipe, is written to directly.
///
/// # Errors
/// What the file system or `write` refuses.
pub fn write_file(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let path = follow(path)?;
    let old = match fs::metadata(&path) {
        Ok(old) => Some(old),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if is_of_a_process(&path) || old.as_ref().is_some_and(|old| !old.is_file()) {
        // Appending, since what another program already wrote to our output is not ours to overwrite.
        return buffered(&mut OpenOptions::new().append(true).open(&path)?, write);
    }

    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = Builder::new();
    builder.prefix(".vemsync-").suffix(".tmp");
    #[cfg(unix)]
    if old.is_none() {
        use std::os::unix::fs::PermissionsExt as _;
        // The umask takes away from this; a temporary file is for its owner only otherwise.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder)?;
    buffered(file.as_file_mut(), write)?;
    if let Some(old) = old {
        file.as_file().set_permissions(old.permissions())?;
    }
    file.as_file().sync_all()?;
    file.persist(&path)?;
    Ok(())
}

fn buffered(out: &mut dyn Write, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    write(&mut out)?;
    out.flush()
}

/// Where a path leads to, whether or not there is something yet.
fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match path.read_link() {
            Ok(target) if !is_of_a_process(&path) => path = path.parent().unwrap_or(Path::new("")).join(target),
            _ => return Ok(path),
        }
    }
    Err(io::Error::other(format!("{}: too many links", path.display())))
}

/// `/dev/stdout` leads here. These links are read for show only: opening one opens what the process has open.
fn is_of_a_process(path: &Path) -> bool {
    path.starts_with("/proc")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(text: &str) -> impl FnOnce(&mut dyn Write) -> io::Result<()> {
        move |out| out.write_all(text.as_bytes())
    }

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_is_made_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        for text in ["first, and longer", "second"] {
            write_file(&path, say(text)).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(names(folder.path()), ["report.html"]);
        }
    }

    #[test]
    fn a_failure_half_way_leaves_what_was_there_and_no_litter() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        let fail = |out: &mut dyn Write| {
            out.write_all(&[b'x'; 100_000])?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        };
        assert_eq!(write_file(&path, fail).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(names(folder.path()).is_empty());

        fs::write(&path, "old").unwrap();
        assert_eq!(write_file(&path, fail).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(folder.path()), ["report.html"]);
    }

    #[test]
    fn a_folder_that_is_none_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "old").unwrap();
        for path in [folder.path().to_owned(), folder.path().join("missing/report.html"), file.join("report.html")] {
            write_file(&path, say("new")).unwrap_err();
        }
        assert_eq!(names(folder.path()), ["file"]);
        assert_eq!(fs::read_to_string(&file).unwrap(), "old");
    }

    #[cfg(unix)]
    #[test]
    fn a_new_file_has_the_mode_of_any_new_file_and_a_replaced_one_keeps_its_own() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode();

        fs::write(folder.path().join("any"), "").unwrap();
        write_file(&folder.path().join("new"), say("new")).unwrap();
        assert_eq!(mode("new"), mode("any"));

        for bits in [0o600, 0o664] {
            fs::set_permissions(folder.path().join("any"), fs::Permissions::from_mode(bits)).unwrap();
            write_file(&folder.path().join("any"), say("new")).unwrap();
            assert_eq!(mode("any") & 0o777, bits);
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_stay() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("there")).unwrap();
        let target = folder.path().join("there/report.html");
        symlink("there/report.html", folder.path().join("first")).unwrap();
        symlink(folder.path().join("first"), folder.path().join("second")).unwrap();
        // The target is missing at first.
        for text in ["one", "two"] {
            write_file(&folder.path().join("second"), say(text)).unwrap();
            assert_eq!(fs::read_to_string(&target).unwrap(), text);
            assert!(folder.path().join("first").is_symlink() && folder.path().join("second").is_symlink());
            assert_eq!(names(&folder.path().join("there")), ["report.html"]);
        }
        symlink("round", folder.path().join("round")).unwrap();
        write_file(&folder.path().join("round"), say("new")).unwrap_err();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_folder_that_cannot_be_written_is_an_error_for_root_too() {
        write_file(Path::new("/sys/report.html"), say("new")).unwrap_err();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_no_regular_file_is_written_directly() {
        use std::io::Read as _;
        use std::os::fd::AsRawFd as _;

        let full = write_file(Path::new("/dev/full"), say("new")).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        write_file(Path::new("/dev/null"), say("new")).unwrap();

        let (mut reader, writer) = io::pipe().unwrap();
        let path = format!("/proc/self/fd/{}", writer.as_raw_fd());
        write_file(Path::new(&path), say("through a pipe")).unwrap();
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "through a pipe");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_output_that_leads_into_a_file_is_not_replaced() {
        use std::os::fd::AsRawFd as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "before, ").unwrap();
        let output = OpenOptions::new().append(true).open(&path).unwrap();
        write_file(Path::new(&format!("/proc/self/fd/{}", output.as_raw_fd())), say("after")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "before, after");
    }
}
