//! The differences that are meant. A rule that hides one nobody meant is worse than no comparison: say why.
//!
//! The program at hand is of the 2.8 series; the personality follows 3.x where the two differ.

/// A difference that somebody has looked at.
#[derive(Debug)]
pub(crate) struct Reviewed {
    /// The requests; none for every one.
    requests: &'static [&'static str],
    /// Which part of the answer; [`ANY`] for all of it.
    part: &'static str,
    /// What ours says; what theirs says.
    ours: &'static str,
    theirs: &'static str,
    #[allow(dead_code, reason = "for readers, and for whoever sees that it is no more so")]
    why: &'static str,
}

/// Whatever it is.
const ANY: &str = "*";

impl Reviewed {
    /// Whether it is this one.
    pub(crate) fn is(&self, request: &str, part: &str, ours: &str, theirs: &str) -> bool {
        let fits = |said: &str, seen: &str| said == ANY || said == seen;
        (self.requests.is_empty() || self.requests.contains(&request))
            && fits(self.part, part)
            && fits(self.ours, ours)
            && fits(self.theirs, theirs)
    }
}

const fn all_of(requests: &'static [&'static str], why: &'static str) -> Reviewed {
    Reviewed { requests, part: ANY, ours: ANY, theirs: ANY, why }
}

/// All of them.
pub(crate) const REVIEWED: &[Reviewed] = &[
    Reviewed {
        requests: &[],
        part: "header content-type",
        ours: "application/json",
        theirs: "application/json; charset=utf-8",
        why: "3.x names no character set",
    },
    Reviewed {
        requests: &[
            "tag of an unknown repository",
            "unknown tag",
            "tag of a deleted manifest",
            "unknown tag for a user",
            "unknown repository for a user",
        ],
        part: "error detail",
        ours: ANY,
        theirs: ANY,
        why: "3.x says it in words",
    },
    Reviewed {
        requests: &["tags", "first tag", "tags after the first"],
        part: "body",
        ours: ANY,
        theirs: ANY,
        why: "2.8 lists tags as its files happen to lie, and all at once; 3.x sorts them and has pages",
    },
    Reviewed {
        requests: &["first tag"],
        part: "header link",
        ours: "</v2/team/app/tags/list?last=1&n=1>; rel=\"next\"",
        theirs: "",
        why: "2.8 has no pages of tags",
    },
    all_of(
        &["unknown tag to delete", "tag to delete", "deleted tag", "tags that are left"],
        "2.8 deletes by digest only, 3.x deletes tags too",
    ),
    all_of(&["upload with a gap"], "2.8 takes a piece wherever it says that it belongs, 3.x refuses a gap"),
    Reviewed {
        requests: &["upload of an unknown repository"],
        part: "error code",
        ours: "\"BLOB_UPLOAD_UNKNOWN\"",
        theirs: "\"BLOB_UPLOAD_INVALID\"",
        why: "theirs misses its own state in the address first; ours keeps none there",
    },
    Reviewed {
        requests: &["upload of an unknown repository"],
        part: "error message",
        ours: "\"blob upload unknown to registry\"",
        theirs: "\"blob upload invalid\"",
        why: "as above",
    },
    Reviewed {
        requests: &["manifest that is no JSON", "manifest that is empty"],
        part: "error detail",
        ours: "",
        theirs: ANY,
        why: "where their JSON reader stopped; clients do not look",
    },
    all_of(&["base without its slash"], "theirs redirects to the slash; no client asks without it"),
    all_of(
        &["capital in a name", "malformed name for nobody"],
        "what comes first in a name may look like a host to theirs; clients refuse such names themselves",
    ),
    all_of(&["name of 300 letters"], "theirs breaks (500); clients refuse such names themselves"),
    all_of(&["digest too short, manifest"], "theirs breaks (500) and tells a path of its file store"),
    all_of(
        &["bytes after the end of a blob"],
        "theirs announces the length of the whole blob and breaks off after a sentence",
    ),
];
