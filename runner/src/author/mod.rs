//! What plugin authors run: build, test, new, doctor.
