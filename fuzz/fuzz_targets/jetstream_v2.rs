#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| crowsnest_fuzz::within_bounds(indexer::fuzzing::jetstream_v2, data));
