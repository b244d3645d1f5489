//! Text from outside made safe to print: a job's name must not be able to move the cursor or forge a log line.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with its control characters written as escapes: `\n`, `\t`, `\u{1b}`.
///
/// C1 controls (U+0080 to U+009F) are covered too, since some terminals obey them like an escape sequence.
#[must_use]
pub fn control(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_unsafe(c) {
            write!(escaped, "{}", c.escape_default()).expect("a String takes every write");
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// Controls, and the marks that turn the direction of the text around them.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// JSON in which such characters are written as escapes, which stand for the same text.
#[must_use]
pub fn json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && is_unsafe(c) {
            write!(escaped, "\\u{:04x}", u32::from(c)).expect("a String takes every write");
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// An error and its causes on one line that is safe to print. A cause that the text before it quotes already is not
/// repeated.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let inner = error.to_string();
        if !text.contains(&inner) {
            text.push_str(": ");
            text.push_str(&inner);
        }
        cause = error.source();
    }
    control(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::control;

    #[test]
    fn controls_are_escaped_and_everything_else_is_kept() {
        for (text, expected) in [
            ("Täglich \\ \"quoted\"", "Täglich \\ \"quoted\""),
            ("a\nb\tc", "a\\nb\\tc"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("\u{7f}\u{9b}", "\\u{7f}\\u{9b}"),
            ("a\u{202e}b", "a\\u{202e}b"),
        ] {
            assert_eq!(control(text), expected);
        }
    }
}
