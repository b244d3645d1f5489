//! Text of elements and attributes: references resolved, line ends as XML prescribes, forbidden characters replaced.

use std::borrow::Cow;

/// What stands for a character that XML, or one of the databases, cannot hold.
const REPLACEMENT: char = '\u{fffd}';

/// Appends text between two references or tags: line ends become `\n`, forbidden characters U+FFFD.
pub(crate) fn push_text(out: &mut String, text: &str) {
    if !any(text, |byte| byte < 0x20 || byte == 0xef) {
        out.push_str(text);
        return;
    }
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                // "\r\n" and "\r" are one line end each.
                if chars.peek() == Some(&'\n') {
                    chars.next();
                }
                out.push('\n');
            }
            c if is_allowed(c) => out.push(c),
            _ => out.push(REPLACEMENT),
        }
    }
}

/// Appends what a reference (`amp`, `#39`, `#x2F`) stands for. An unknown one stays as it was written, since no
/// answer of the API declares any.
pub(crate) fn push_reference(out: &mut String, reference: &str) {
    let number = match reference.strip_prefix('#') {
        Some(hex) if hex.starts_with(['x', 'X']) => Some(u32::from_str_radix(&hex[1..], 16)),
        Some(decimal) => Some(decimal.parse()),
        None => None,
    };
    match (number, reference) {
        (Some(number), _) => {
            out.push(number.ok().and_then(char::from_u32).filter(|c| is_allowed(*c)).unwrap_or(REPLACEMENT));
        }
        (None, "amp") => out.push('&'),
        (None, "lt") => out.push('<'),
        (None, "gt") => out.push('>'),
        (None, "quot") => out.push('"'),
        (None, "apos") => out.push('\''),
        (None, unknown) => {
            out.push('&');
            out.push_str(unknown);
            out.push(';');
        }
    }
}

/// Whether a document without a DOCTYPE may refer to that.
pub(super) fn is_known(reference: &str) -> bool {
    reference.starts_with('#') || matches!(reference, "amp" | "lt" | "gt" | "quot" | "apos")
}

/// The value of an attribute. Line ends and tabs that are not written as references become spaces, as XML prescribes.
pub(crate) fn attribute_value(raw: &str) -> Cow<'_, str> {
    if !any(raw, |byte| byte == b'&' || byte < 0x20 || byte == 0xef) {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('&') {
        push_attribute_text(&mut out, &rest[..at]);
        let after = &rest[at + 1..];
        match after
            .find(';')
            .filter(|end| after[..*end].bytes().all(|byte| byte == b'#' || byte.is_ascii_alphanumeric()))
        {
            Some(end) => {
                push_reference(&mut out, &after[..end]);
                rest = &after[end + 1..];
            }
            None => {
                // A bare ampersand, as hand-made links carry it.
                out.push('&');
                rest = after;
            }
        }
    }
    push_attribute_text(&mut out, rest);
    Cow::Owned(out)
}

fn push_attribute_text(out: &mut String, text: &str) {
    let start = out.len();
    push_text(out, text);
    if out[start..].contains(['\n', '\t']) {
        let spaced = out[start..].replace(['\n', '\t'], " ");
        out.replace_range(start.., &spaced);
    }
}

/// Whether such a byte is in the text. Without leaving early, so that many bytes are compared at a time.
fn any(text: &str, is_such: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(false, |found, byte| found | is_such(byte))
}

fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_stand_for_characters() {
        for (reference, expected) in [
            ("amp", "&"),
            ("lt", "<"),
            ("gt", ">"),
            ("quot", "\""),
            ("apos", "'"),
            ("#39", "'"),
            ("#x2F", "/"),
            ("#X2f", "/"),
            ("#13", "\r"),
            ("#0", "\u{fffd}"),
            ("#1", "\u{fffd}"),
            ("#xD800", "\u{fffd}"),
            ("#xFFFE", "\u{fffd}"),
            ("#x110000", "\u{fffd}"),
            ("#99999999999", "\u{fffd}"),
            ("#", "\u{fffd}"),
            ("#x1F600", "😀"),
            ("nbsp", "&nbsp;"),
        ] {
            let mut out = String::new();
            push_reference(&mut out, reference);
            assert_eq!(out, expected, "{reference}");
        }
    }

    #[test]
    fn line_ends_and_forbidden_characters() {
        for (text, expected) in [
            ("a\r\nb\rc\nd\te", "a\nb\nc\nd\te"),
            ("\u{0}x\u{1f}", "\u{fffd}x\u{fffd}"),
            ("\u{fffe}", "\u{fffd}"),
            ("ﬀ\u{feff}é", "ﬀ\u{feff}é"),
            ("plain", "plain"),
        ] {
            let mut out = String::new();
            push_text(&mut out, text);
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn attributes_are_normalised() {
        for (raw, expected) in [
            ("a&amp;b", "a&b"),
            ("a\tb\r\nc", "a b c"),
            ("a&#10;b&#9;c", "a\nb\tc"),
            ("x?a=1&b=2", "x?a=1&b=2"),
            ("50% & more; really", "50% & more; really"),
            ("&#x1F600;", "😀"),
            ("é", "é"),
        ] {
            assert_eq!(attribute_value(raw), expected, "{raw}");
        }
    }
}
