//! See `vemsync_fuzz::config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| vemsync_fuzz::config::check(data));
