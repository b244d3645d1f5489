//! See `vemsync_fuzz::time`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vemsync_fuzz::time::check(data));
