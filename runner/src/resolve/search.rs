use hickory_resolver::proto::rr::Name;

use crate::model::UnresolvedReason;

/// The full names that a name may stand for, in the order to try them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidates {
    /// Never empty, none twice.
    pub names: Vec<Name>,
    /// Whether the first of them is the name as it was typed.
    pub as_is_first: bool,
}

/// What `res_search` of the C library would try for `name`.
///
/// A final dot means the name itself. Otherwise a name with `ndots` dots or more
/// is tried as it is first, a shorter one last; the domains of `search` come in
/// order before or after it.
pub(super) fn candidates(name: &Name, search: &[Name], ndots: usize) -> Candidates {
    let mut as_is = name.clone();
    as_is.set_fqdn(true);
    if name.is_fqdn() {
        return Candidates { names: vec![as_is], as_is_first: true };
    }
    let dots = usize::from(name.num_labels()).saturating_sub(1);
    // A name that grows too long with a domain cannot exist there.
    let searched = search.iter().filter_map(|domain| {
        let mut full = name.clone().append_domain(domain).ok()?;
        full.set_fqdn(true);
        Some(full)
    });
    let mut names: Vec<Name> = Vec::with_capacity(search.len() + 1);
    let as_is_first = dots >= ndots;
    if as_is_first {
        names.push(as_is.clone());
    }
    for name in searched.chain([as_is]) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Candidates { names, as_is_first }
}

impl Candidates {
    /// Why the name was not found, from what each candidate said, in the order
    /// tried.
    ///
    /// The name as it was typed has the last word when it was tried first: what
    /// a search domain adds says little about it. Otherwise the reason that
    /// leaves most open (`res_search` decides in this order too).
    pub fn judge(&self, tried: &[UnresolvedReason]) -> UnresolvedReason {
        if let (Some(first), true) = (tried.first(), self.as_is_first) {
            return *first;
        }
        [UnresolvedReason::Timeout, UnresolvedReason::NoData, UnresolvedReason::Servfail]
            .into_iter()
            .find(|reason| tried.contains(reason))
            .unwrap_or(UnresolvedReason::Nxdomain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    fn names(name: &str, ndots: usize) -> Vec<String> {
        let search = ["a.test", "b.test"].map(|domain| Name::from_str(domain).unwrap());
        let all = candidates(&Name::from_str(name).unwrap(), &search, ndots);
        all.names.iter().map(Name::to_string).collect()
    }

    #[test]
    fn a_short_name_is_searched_for_first_and_a_long_one_last() {
        assert_eq!(names("web", 1), ["web.a.test.", "web.b.test.", "web."]);
        assert_eq!(
            names("web.example", 1),
            ["web.example.", "web.example.a.test.", "web.example.b.test."]
        );
        assert_eq!(
            names("web.example", 2),
            ["web.example.a.test.", "web.example.b.test.", "web.example."]
        );
        assert_eq!(names("web", 0)[0], "web.");
    }

    #[test]
    fn a_final_dot_means_the_name_itself() {
        assert_eq!(names("web.", 1), ["web."]);
    }

    #[test]
    fn the_reason_is_that_of_the_name_as_typed_when_it_was_tried_first() {
        use UnresolvedReason::*;
        let judge =
            |tried: &[_], as_is_first| Candidates { names: Vec::new(), as_is_first }.judge(tried);
        assert_eq!(judge(&[Nxdomain, Servfail], true), Nxdomain);
        assert_eq!(judge(&[Servfail, Nxdomain], true), Servfail);
        assert_eq!(judge(&[Nxdomain, NoData, Nxdomain], false), NoData);
        assert_eq!(judge(&[Servfail, Nxdomain], false), Servfail);
        assert_eq!(judge(&[Nxdomain, Timeout], false), Timeout);
        assert_eq!(judge(&[Nxdomain, Nxdomain], false), Nxdomain);
    }
}
