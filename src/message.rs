//! Grouping messages: what two failures have in common once names, paths, numbers and GUIDs are taken out.
//!
//! SQLite has no regular expressions, so the group is computed when a row is written, and reports group by a column.

/// Longest group that is kept, in bytes; messages that differ only beyond it are one group.
const LIMIT: usize = 500;

/// The group of a message: quoted and bracketed parts become `…` inside their marks, and so does every word that
/// carries a digit, a path separator or an inner dot (numbers, GUIDs, paths, host names). White space is folded.
///
/// Returns `None` where nothing but white space is left.
#[must_use]
pub fn group(message: &str) -> Option<String> {
    let mut out = String::with_capacity(message.len().min(LIMIT));
    let mut rest = message;
    while let Some(first) = rest.chars().next() {
        if out.len() >= LIMIT {
            break;
        }
        if first.is_whitespace() {
            rest = rest.trim_start();
            if !out.is_empty() && !rest.is_empty() {
                out.push(' ');
            }
        } else if let Some((inside, after)) = closing(first).and_then(|close| bracketed(rest, first, close)) {
            out.push(first);
            if !inside.is_empty() {
                out.push('…');
            }
            out.push(closing(first).unwrap_or(first));
            rest = after;
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || "[({\"".contains(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end.max(first.len_utf8()));
            push_word(&mut out, word);
            rest = after;
        }
    }
    let kept = out[..out.floor_char_boundary(LIMIT)].trim_end();
    (!kept.is_empty()).then(|| kept.to_owned())
}

fn closing(open: char) -> Option<char> {
    match open {
        '\'' => Some('\''),
        '"' => Some('"'),
        '[' => Some(']'),
        '{' => Some('}'),
        '(' => Some(')'),
        '“' => Some('”'),
        '‘' => Some('’'),
        _ => None,
    }
}

/// What stands between the mark at the start and its counterpart, and what follows.
fn bracketed(text: &str, open: char, close: char) -> Option<(&str, &str)> {
    let inside = &text[open.len_utf8()..];
    let mut depth = 0usize;
    for (at, c) in inside.char_indices() {
        if c == close {
            if depth == 0 {
                return Some((&inside[..at], &inside[at + close.len_utf8()..]));
            }
            depth -= 1;
        } else if c == open {
            depth += 1;
        }
    }
    None
}

fn push_word(out: &mut String, word: &str) {
    let core = word.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', ']', '}']);
    let inner_dot = core.trim_matches('.').contains('.');
    if core.contains(|c: char| c.is_ascii_digit() || c == '\\' || c == '/') || inner_dot {
        // A word and its neighbour of the same kind are one variable part: "10 20 GB" and "10 GB" differ in no word.
        out.push('…');
        out.push_str(&word[core.len()..]);
    } else {
        out.push_str(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_differ_in_names_and_numbers_are_one_group() {
        for (a, b) in [
            ("Cannot reach host 'esx01.lab'.", "Cannot reach host 'esx-17.example.org'."),
            ("Disk [vol1] vm1/vm1.vmdk is full", "Disk [ssd (2)] db7/db7_1.vmdk is full"),
            ("Hard disk 1 (0 B)", "Hard disk 12 (40.0 GB)"),
            ("Task 6f9619ff-8b86-d011-b42d-00c04fc964ff failed", "Task 00000000-8b86-d011-b42d-00c04fc96400 failed"),
            (r"Cannot open \\nas01\share\a.vbk: denied. ", r"Cannot open C:\Backup\b.vbk: denied."),
            ("Lost agent.\r\n\tCode: 5", "Lost agent. Code: 17"),
        ] {
            assert_eq!(group(a), group(b), "{a} / {b}");
        }
    }

    #[test]
    fn words_stay_and_nothing_is_none() {
        assert_eq!(group("Snapshot of 'a' failed: no space").as_deref(), Some("Snapshot of '…' failed: no space"));
        assert_ne!(group("Disk is full"), group("Host is down"));
        for nothing in ["", "  ", "\n\t"] {
            assert_eq!(group(nothing), None);
        }
        assert_eq!(group("it's broken").as_deref(), Some("it's broken"));
        assert_eq!(group("[open").as_deref(), Some("[open"));
    }

    #[test]
    fn a_long_message_has_a_bounded_group() {
        assert!(group(&"word ".repeat(10_000)).expect("a group").len() <= LIMIT);
    }
}
