//! Lists as the API gives them: the pages of `page` and `page_size`, the queries of `q`, the order of `sort`, and the headers that
//! say how many there are and where the others are.

use std::cmp::Ordering;

use serde_json::Value;

use super::{
    call::{Answered, Call, Reply},
    path::decoded,
    refusal::Refusal,
};

/// How much is on a page when nothing is said, and at most.
const USUAL: u64 = 10;
const MOST: u64 = 100;

/// What a query asks of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    Exactly(String),
    Like(String),
    Range(Option<String>, Option<String>),
    AnyOf(Vec<String>),
    AllOf(Vec<String>),
}

/// The fields that are asked about.
#[derive(Debug, Clone, Default)]
pub(super) struct Query(Vec<(String, Wanted)>);

impl Query {
    /// Reads `q`: `k=v,k=~v,k=[min~max],k={v1 v2},k=(v1 v2)`.
    pub(super) fn read(text: &str) -> Result<Self, Refusal> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        // Some encode it once more than they need to.
        let text = decoded(text);
        let one = |part: &str| {
            let halves = part.split_once('=').filter(|(key, value)| !key.is_empty() && !value.is_empty());
            let (key, value) = halves.ok_or_else(|| {
                Refusal::bad_request("the query string must contain \"=\" and the key/value cannot be empty")
            })?;
            let wanted = wanted(value)
                .ok_or_else(|| Refusal::bad_request(format!("invalid query string value: {value}")))?;
            Ok((key.to_owned(), wanted))
        };
        Ok(Self(text.split(',').map(one).collect::<Result<_, Refusal>>()?))
    }

    /// What is asked of a field that the caller looks after itself, by any of its names.
    pub(super) fn take(&mut self, names: &[&str]) -> Option<Wanted> {
        let at = self.0.iter().position(|(key, _)| names.contains(&key.as_str()))?;
        Some(self.0.remove(at).1)
    }

    /// The same for one that can only be asked for exactly.
    pub(super) fn take_exactly(&mut self, names: &[&str]) -> Option<String> {
        match self.take(names)? {
            Wanted::Exactly(value) => Some(value),
            _ => None,
        }
    }

    /// What is as it should be; fields that no item has are asked for in vain.
    fn sift(&self, items: &mut Vec<Value>) {
        for (key, wanted) in &self.0 {
            if items.iter().any(|item| item.get(key).is_some()) {
                items.retain(|item| item.get(key).is_some_and(|value| wanted.fits(value)));
            }
        }
    }
}

impl Wanted {
    pub(super) fn fits(&self, value: &Value) -> bool {
        let text = plain(value);
        match self {
            Self::Exactly(wanted) => text == *wanted,
            Self::Like(part) => text.contains(part.as_str()),
            Self::AnyOf(all) => all.contains(&text),
            Self::AllOf(all) => all.iter().all(|one| *one == text),
            Self::Range(from, to) => {
                let above = from.as_ref().is_none_or(|from| order(&text, from) != Ordering::Less);
                above && to.as_ref().is_none_or(|to| order(&text, to) != Ordering::Greater)
            }
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Numbers by what they are, everything else by how it is written, as times can be.
fn order(a: &str, b: &str) -> Ordering {
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(a), Ok(b)) => a.total_cmp(&b),
        _ => a.cmp(b),
    }
}

fn wanted(value: &str) -> Option<Wanted> {
    let list = |inside: &str| -> Vec<String> {
        let words = inside.split(' ').map(|word| word.trim_matches(['"', '\'']).to_owned());
        words.filter(|word| !word.is_empty()).collect()
    };
    let inside = |close: char| value.get(1..)?.strip_suffix(close);
    match value.as_bytes().first()? {
        b'~' => value.get(1..).filter(|rest| !rest.is_empty()).map(|rest| Wanted::Like(rest.to_owned())),
        b'{' => Some(Wanted::AnyOf(list(inside('}')?))),
        b'(' => Some(Wanted::AllOf(list(inside(')')?))),
        b'[' => {
            let (from, to) = inside(']')?.split_once('~').filter(|(_, to)| !to.contains('~'))?;
            let end = |text: &str| {
                let text = text.trim().trim_matches(['"', '\'']);
                (!text.is_empty()).then(|| text.to_owned())
            };
            let (from, to) = (end(from), end(to));
            (from.is_some() || to.is_some()).then_some(Wanted::Range(from, to))
        }
        b'\\' => Some(Wanted::Exactly(value[1..].to_owned())),
        _ => Some(Wanted::Exactly(value.to_owned())),
    }
}

/// Which page is wanted, and how large it is.
fn page(call: &Call) -> Result<(u64, u64), Refusal> {
    let number = |name: &str, otherwise: u64| match call.parameter(name) {
        None => Ok(otherwise),
        Some(text) => match text.parse::<i64>() {
            Ok(number) => u64::try_from(number).map_err(|_| {
                Refusal::unprocessable(format!("{name} in query should be greater than or equal to 0"))
            }),
            Err(_) => Err(Refusal::unprocessable(format!("{name} in query must be of type int64: {text:?}"))),
        },
    };
    let (page, size) = (number("page", 1)?.max(1), number("page_size", USUAL)?);
    if size > MOST {
        return Err(Refusal::unprocessable(format!(
            "page_size in query should be less than or equal to {MOST}"
        )));
    }
    Ok((page, size))
}

/// What `q` asks.
pub(super) fn query(call: &Call) -> Result<Query, Refusal> {
    Query::read(call.parameter("q").unwrap_or_default())
}

/// The page that is wanted of what fits the query; `order` is by which field they come when nothing is said (`-field`, the last
/// first).
pub(super) fn told(call: &Call, query: &Query, items: Vec<Value>, order_by: &str) -> Answered {
    told_with(call, query, items, order_by, |item| item)
}

/// The same, where what is shown takes more than what is looked for.
pub(super) fn told_with(
    call: &Call,
    query: &Query,
    mut items: Vec<Value>,
    order_by: &str,
    whole: impl FnMut(Value) -> Value,
) -> Answered {
    let (page, size) = page(call)?;
    query.sift(&mut items);
    let sorts = call.parameter("sort").filter(|sort| !sort.is_empty()).unwrap_or(order_by);
    // The first field counts most.
    for sort in sorts.split(',').rev() {
        let (field, backwards) = sort.strip_prefix('-').map_or((sort, false), |field| (field, true));
        let by = |item: &Value| item.get(field).map(plain).unwrap_or_default();
        items.sort_by(|a, b| {
            let order = order(&by(a), &by(b));
            if backwards { order.reverse() } else { order }
        });
    }
    let total = items.len() as u64;
    if size > 0 {
        let before = page.saturating_sub(1).saturating_mul(size);
        let before = usize::try_from(before).unwrap_or(usize::MAX).min(items.len());
        items.drain(..before);
        items.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    }
    let mut reply = Reply::json(&items.into_iter().map(whole).collect());
    reply.headers.push(("x-total-count", total.to_string()));
    if let Some(links) = links(call, total, page, size) {
        reply.headers.push(("link", links));
    }
    Ok(reply)
}

/// Where the pages before and after this one are.
fn links(call: &Call, total: u64, page: u64, size: u64) -> Option<String> {
    if size == 0 {
        return None;
    }
    let link = |page: u64, rel: &str| {
        let mut query = call.query.clone();
        query.retain(|(key, _)| key != "page" && key != "page_size");
        query.extend([("page".to_owned(), page.to_string()), ("page_size".to_owned(), size.to_string())]);
        query.sort_by(|a, b| a.0.cmp(&b.0));
        let pairs: Vec<String> = query.iter().map(|(key, value)| format!("{key}={value}")).collect();
        format!("<{}?{}>; rel=\"{rel}\"", call.path, pairs.join("&"))
    };
    let before = (page > 1 && (page - 1).saturating_mul(size) < total).then(|| link(page - 1, "prev"));
    let after = (page.saturating_mul(size) < total).then(|| link(page + 1, "next"));
    let links: Vec<String> = before.into_iter().chain(after).collect();
    (!links.is_empty()).then(|| links.join(" , "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn queries_ask_in_five_ways() {
        let item = json!({"name": "team/app", "id": 12, "public": true});
        for (query, fits) in [
            ("name=team/app", true),
            ("name=app", false),
            ("name=~app", true),
            ("id=[9~12]", true),
            ("id=[13~]", false),
            ("id=[~11]", false),
            ("id={1 12}", true),
            ("id={1 2}", false),
            ("name=(team/app)", true),
            ("name=~team,id=3", false),
            ("name%3D~team", true),
            ("public=true", true),
            ("whatever=1", true),
        ] {
            let mut items = vec![item.clone()];
            Query::read(query).unwrap().sift(&mut items);
            assert_eq!(!items.is_empty(), fits, "{query}");
        }
        for bad in
            ["name", "=a", "name=", "id=[1]", "id=[~]", "id=[1~2~3]", "id={1", "id=(1", "a=1,b", "name=~"]
        {
            assert_eq!(Query::read(bad).unwrap_err().status, 400, "{bad}");
        }
        let mut query = Query::read("Level=project,ProjectID=2").unwrap();
        assert_eq!(query.take_exactly(&["Level", "level"]).as_deref(), Some("project"));
        assert_eq!(query.take(&["Level"]), None);
    }
}
