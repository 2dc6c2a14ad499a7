"""Parts of tests/bench/compare: rigs, measurements, tools, cases, tables."""
