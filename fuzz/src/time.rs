//! Times: what is read can be written, and is the same time when it is read again.

use vemsync::timestamp::{floor_second, format, format_second, parse};

/// # Panics
/// If a time changes on the way to its text and back.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Some(time) = parse(text) else { return };
    let written = format(time);
    assert_eq!(written.len(), "1970-01-01T00:00:00.000000Z".len(), "{written}: texts of times sort only at one width");
    assert_eq!(parse(&written), Some(time), "{written}");
    assert_eq!(parse(&format_second(time)), Some(floor_second(time)), "{written}");
    // A time that names its zone means the same without the spaces around it, and in small letters.
    assert_eq!(parse(&format!(" {}\n", text.to_ascii_lowercase())), Some(time), "{text}");
}
