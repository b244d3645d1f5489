//! See `vemsync_fuzz::filter`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vemsync_fuzz::filter::check(data));
