//! The differences that are meant. A rule that hides one nobody meant is worse than no comparison: say why.

/// A difference that somebody has looked at.
#[derive(Debug)]
pub(crate) struct Reviewed {
    /// The request; empty for every one.
    request: &'static str,
    /// Which part of the answer.
    part: &'static str,
    /// What ours says; what theirs says.
    ours: &'static str,
    theirs: &'static str,
    #[allow(dead_code, reason = "for readers, and for whoever sees that it is no more so")]
    why: &'static str,
}

impl Reviewed {
    /// Whether it is this one.
    pub(crate) fn is(&self, request: &str, part: &str, ours: &str, theirs: &str) -> bool {
        (self.request.is_empty() || self.request == request)
            && self.part == part
            && self.ours == ours
            && self.theirs == theirs
    }
}

/// All of them.
pub(crate) const REVIEWED: &[Reviewed] = &[];
