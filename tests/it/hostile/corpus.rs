//! Every input that the fuzzer begins with, or once failed on, is checked on each run of the tests.

use std::path::Path;

#[path = "../../../fuzz/src/config.rs"]
mod config;
#[path = "../../../fuzz/src/filter.rs"]
mod filter;
#[path = "../../../fuzz/src/time.rs"]
mod time;
#[path = "../../../fuzz/src/xml.rs"]
mod xml;

#[test]
fn inputs_of_the_fuzzer_hold() {
    type Check = fn(&[u8]);
    for (target, check) in
        [("config", config::check as Check), ("filter", filter::check), ("time", time::check), ("xml", xml::check)]
    {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let mut inputs = 0;
        for file in std::fs::read_dir(&folder).expect("a corpus") {
            let data = std::fs::read(file.expect("an entry").path()).expect("an input");
            check(&data);
            inputs += 1;
        }
        assert!(inputs >= 10, "{target} has only {inputs} inputs");
    }
}
