#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| portscan_fuzz::expectations(data));
