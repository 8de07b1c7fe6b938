//! Answers that are spoilt on their way: what is in them, how much of it comes, and how fast.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use pulldrill_clock::real;
use serde_json::Value;

use super::{Strike, line::Cut};
use crate::digest::digest;

/// The body of an answer as it goes out.
pub(crate) type Delivered = UnsyncBoxBody<Bytes, io::Error>;

/// In how many steps a second a slow body comes.
const STEPS: u64 = 10;

/// How long a connection goes on that is about to be cut: what came before the cut is on its way by then, and is not lost
/// with the connection.
const LAST_BYTES: Duration = Duration::from_millis(20);

/// Which digest a lying HEAD names.
const OTHER: &[u8] = b"what HEAD says";

/// What is asked for and what about it matters here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    /// By HEAD.
    pub(crate) head: bool,
    /// For a range.
    pub(crate) range: bool,
    /// By a digest, so that nothing else can be answered.
    pub(crate) digest: bool,
}

/// An answer under the faults that strike it.
pub(crate) async fn spoil<B>(
    answer: Response<B>,
    strikes: &[Strike],
    asked: Asked,
    cut: &Cut,
) -> Response<Delivered>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut answer = answer.map(|body| body.map_err(io::Error::other).boxed_unsync());
    let concerned = strikes.iter().filter(|strike| !(asked.range && strike.flag("rescue")));
    for strike in concerned {
        answer = one(answer, strike, asked, cut).await;
    }
    answer
}

async fn one(
    mut answer: Response<Delivered>,
    strike: &Strike,
    asked: Asked,
    cut: &Cut,
) -> Response<Delivered> {
    match strike.name {
        "wrong-type" => {
            if let Ok(value) = HeaderValue::from_str(strike.text("content-type")) {
                answer.headers_mut().insert(header::CONTENT_TYPE, value);
            }
            return answer;
        }
        "head-disagrees" => {
            if asked.head {
                name_digest(answer.headers_mut(), &digest(OTHER));
            }
            return answer;
        }
        "missing-platform" if asked.digest => return answer,
        "missing-platform" => return without_platform(answer, strike.text("platform")).await,
        _ if asked.head => return answer,
        _ => {}
    }
    let length = answer.body().size_hint().exact().unwrap_or_default();
    let mut spoilt = Spoilt::of(Delivered::default(), length);
    match strike.name {
        "truncated" if strike.flag("promised") => spoilt.broken = Some((length / 2, Cut::default())),
        "truncated" => spoilt.end = length / 2,
        "empty" => spoilt.end = 0,
        "corrupt" => spoilt.flip = length.checked_sub(1),
        "wrong-length" => {
            spoilt.end = length.saturating_add(strike.number("more"));
            // The connection ends with less than was promised.
            spoilt.broken = Some((length, Cut::default()));
        }
        "reset-midway" => spoilt.broken = Some((strike.number("after-bytes"), cut.clone())),
        "bandwidth" => spoilt.pace = Some(strike.number("bytes-per-second").max(1)),
        _ => return answer,
    }
    answer.headers_mut().remove(header::CONTENT_LENGTH);
    answer.map(|body| Spoilt { inner: body, ..spoilt }.boxed_unsync())
}

/// A list of manifests without those of a platform, and with the digest that it then has.
async fn without_platform(answer: Response<Delivered>, platform: &str) -> Response<Delivered> {
    let (mut head, body) = answer.into_parts();
    let Ok(body) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
        return Response::from_parts(head, Delivered::default());
    };
    let less = fewer(&body, platform);
    let body = less.map_or(body, |less| {
        name_digest(&mut head.headers, &digest(&less));
        head.headers.remove(header::CONTENT_LENGTH);
        Bytes::from(less)
    });
    Response::from_parts(head, Full::new(body).map_err(|never| match never {}).boxed_unsync())
}

fn fewer(body: &[u8], platform: &str) -> Option<Vec<u8>> {
    let mut list: Value = serde_json::from_slice(body).ok()?;
    let entries = list.get_mut("manifests")?.as_array_mut()?;
    let (os, architecture) = platform.split_once('/').unwrap_or(("linux", platform));
    entries.retain(|entry| {
        let of = &entry["platform"];
        !(platform.is_empty() || of["os"] == os && of["architecture"] == architecture)
    });
    serde_json::to_vec(&list).ok()
}

fn name_digest(headers: &mut HeaderMap, digest: &str) {
    for (name, value) in [("docker-content-digest", digest.to_owned()), ("etag", format!("\"{digest}\""))] {
        if let (true, Ok(value)) = (headers.contains_key(name), HeaderValue::from_str(&value)) {
            headers.insert(name, value);
        }
    }
}

/// A body that is not what it was.
struct Spoilt {
    inner: Delivered,
    /// How far it has come.
    at: u64,
    /// Where it ends.
    end: u64,
    /// The byte that is another one.
    flip: Option<u64>,
    /// After how many bytes it breaks off, and what cuts the connection then.
    broken: Option<(u64, Cut)>,
    /// What came before that is on its way.
    sent: bool,
    /// Bytes a second.
    pace: Option<u64>,
    rest: Bytes,
    /// The time that the next piece takes has passed.
    paid: bool,
    waiting: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Spoilt {
    fn of(inner: Delivered, end: u64) -> Self {
        Self {
            inner,
            at: 0,
            end,
            flip: None,
            broken: None,
            sent: false,
            pace: None,
            rest: Bytes::new(),
            paid: false,
            waiting: None,
        }
    }

    /// How much of what is there comes now.
    fn piece(&self) -> u64 {
        let mut most = self.end - self.at;
        if let Some((after, _)) = self.broken {
            most = most.min(after.saturating_sub(self.at));
        }
        if let Some(pace) = self.pace {
            most = most.min((pace / STEPS).max(1));
        }
        most.min(self.rest.len() as u64)
    }
}

impl Body for Spoilt {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        loop {
            if let Some(waiting) = &mut this.waiting {
                ready!(waiting.as_mut().poll(cx));
                this.waiting = None;
            }
            if let Some((_, cut)) = this.broken.as_ref().filter(|(after, _)| this.at >= *after) {
                if !std::mem::replace(&mut this.sent, true) {
                    this.waiting = Some(Box::pin(real::sleep(LAST_BYTES)));
                    continue;
                }
                cut.say();
                return Poll::Ready(Some(Err(io::ErrorKind::ConnectionReset.into())));
            }
            if this.at >= this.end {
                return Poll::Ready(None);
            }
            if this.rest.is_empty() {
                match ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
                    Some(Ok(frame)) => this.rest = frame.into_data().unwrap_or_default(),
                    other => return Poll::Ready(other),
                }
                continue;
            }
            let length = usize::try_from(this.piece()).unwrap_or(usize::MAX);
            if let Some(pace) = this.pace.filter(|_| !this.paid) {
                let time = Duration::from_secs_f64(length as f64 / pace as f64);
                this.waiting = Some(Box::pin(real::sleep(time)));
                this.paid = true;
                continue;
            }
            this.paid = false;
            let mut piece = this.rest.split_to(length);
            if let Some(flip) = this.flip.and_then(|flip| flip.checked_sub(this.at))
                && let Ok(flip) = usize::try_from(flip)
                && flip < length
            {
                let mut bytes = piece.to_vec();
                bytes[flip] = !bytes[flip];
                piece = bytes.into();
            }
            this.at += length as u64;
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.end - self.at)
    }
}

#[cfg(test)]
mod tests {
    use pulldrill_faults::{FaultRule, Stage, Subject};

    use super::*;
    use crate::fault::Faults;

    const BODY: &str = "0123456789";

    async fn under(rule: FaultRule, asked: Asked) -> (HeaderMap, Result<Bytes, io::Error>) {
        let clock = pulldrill_clock::Clock::held_at(real::now());
        let faults = Faults::new(1, "r.example", clock, Default::default());
        faults.set(vec![rule]).unwrap();
        let strikes = faults.strike(Stage::Answer, &Subject::default());
        assert_eq!(strikes.len(), 1);
        let body = Full::new(Bytes::from(BODY));
        let answer = spoil(Response::new(body), &strikes, asked, &Cut::default()).await;
        let (head, body) = answer.into_parts();
        (head.headers, body.collect().await.map(http_body_util::Collected::to_bytes))
    }

    const GET: Asked = Asked { head: false, range: false, digest: false };

    #[tokio::test]
    async fn bodies_are_spoilt_as_the_table_says() {
        let body = async |rule: FaultRule| under(rule, GET).await.1.map(|bytes| bytes.to_vec());
        assert_eq!(body(FaultRule::new("truncated")).await.unwrap(), b"01234");
        assert!(body(FaultRule::new("truncated").with("promised", &true)).await.is_err());
        assert_eq!(body(FaultRule::new("empty")).await.unwrap(), b"");
        assert_eq!(body(FaultRule::new("corrupt")).await.unwrap(), b"012345678\xc6");
        assert_eq!(
            body(FaultRule::new("bandwidth").with("bytes-per-second", &100)).await.unwrap(),
            BODY.as_bytes()
        );
        assert!(body(FaultRule::new("reset-midway").with("after-bytes", &3)).await.is_err());
        let (_, body) = under(FaultRule::new("wrong-length").with("more", &5), GET).await;
        assert!(body.is_err());
    }

    #[tokio::test]
    async fn a_range_is_spoilt_too_unless_it_is_to_rescue() {
        let range = Asked { range: true, ..GET };
        assert_eq!(under(FaultRule::new("truncated"), range).await.1.unwrap().len(), 5);
        let rescued = under(FaultRule::new("truncated").with("rescue", &true), range).await.1.unwrap();
        assert_eq!(rescued, BODY);
    }

    #[test]
    fn a_list_loses_a_platform_or_all_of_them() {
        let list = br#"{"manifests":[{"platform":{"os":"linux","architecture":"amd64"}},{"platform":{"os":"linux","architecture":"arm64"}}]}"#;
        let left = |platform: &str| {
            let left: Value = serde_json::from_slice(&fewer(list, platform).unwrap()).unwrap();
            left["manifests"].as_array().unwrap().len()
        };
        assert_eq!((left("linux/amd64"), left("amd64"), left("linux/s390x"), left("")), (1, 1, 2, 0));
        assert!(fewer(b"{}", "").is_none() && fewer(b"no", "").is_none());
    }
}
