//! Errors as an author meets them: `?` turns the one below into the one above.

use crate::{CheckError, Cut, IoError, PayloadError};

impl From<IoError> for CheckError {
    fn from(error: IoError) -> CheckError {
        CheckError::Conversation(error)
    }
}

/// A request that does not fit its buffer is a fault of the plugin's own, or of
/// a setting that it did not check.
impl From<Cut> for CheckError {
    fn from(cut: Cut) -> CheckError {
        CheckError::Failed(cut.to_string())
    }
}

impl From<Cut> for PayloadError {
    fn from(cut: Cut) -> PayloadError {
        PayloadError::Failed(cut.to_string())
    }
}
