//! The form of a call: names with dots and numbers in them stand for lists and structures, `Filter.1.Value.2=…`.

use std::collections::{BTreeMap, BTreeSet};

use super::refusal::Refusal;

/// So many fields and no more.
const MOST: usize = 2_000;

/// What was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    /// Reads the body of a request.
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        let mut fields = BTreeMap::new();
        for (n, (name, value)) in form(body).enumerate() {
            if n == MOST {
                return Err(Refusal::new("RequestLimitExceeded", format!("more than {MOST} parameters")));
            }
            if fields.insert(name.clone(), value).is_some() {
                let message = format!("The parameter {name} is given twice");
                return Err(Refusal::new("InvalidParameterCombination", message));
            }
        }
        Ok(Self(fields))
    }

    /// A field, unless it is empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The values of a list, in its order.
    pub(super) fn list(&self, name: &str) -> Vec<&str> {
        self.numbers(name).into_iter().filter_map(|n| self.get(&format!("{name}.{n}"))).collect()
    }

    /// Where the items of a list of structures begin: `IpPermissions.1`, `IpPermissions.2`.
    pub(super) fn items(&self, name: &str) -> Vec<String> {
        self.numbers(name).into_iter().map(|n| format!("{name}.{n}")).collect()
    }

    fn numbers(&self, name: &str) -> BTreeSet<u32> {
        let prefix = format!("{name}.");
        let fields = self.0.range(prefix.clone()..).map(|(field, _)| field);
        let fields = fields.map_while(|field| field.strip_prefix(&prefix));
        fields.filter_map(|rest| rest.split('.').next()?.parse().ok()).collect()
    }
}

/// The pairs of a form, in which anything goes: what is no UTF-8 becomes what stands for that.
fn form(body: &[u8]) -> impl Iterator<Item = (String, String)> {
    let decoded = |text: &[u8]| {
        let mut out = Vec::with_capacity(text.len());
        let mut rest = text;
        while let [first, tail @ ..] = rest {
            let hex =
                tail.get(..2).and_then(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok());
            rest = tail;
            match (first, hex) {
                (b'%', Some(byte)) if tail[..2].iter().all(u8::is_ascii_hexdigit) => {
                    out.push(byte);
                    rest = &tail[2..];
                }
                (b'+', _) => out.push(b' '),
                (other, _) => out.push(*other),
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    };
    body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(move |pair| {
        let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        (decoded(&pair[..at]), decoded(pair.get(at + 1..).unwrap_or_default()))
    })
}
