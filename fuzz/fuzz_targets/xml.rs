//! See `vemsync_fuzz::xml`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vemsync_fuzz::xml::check(data));
