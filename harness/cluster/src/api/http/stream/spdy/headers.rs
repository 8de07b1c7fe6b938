//! Headers of SPDY streams: names and values in one zlib stream per direction and connection.

use zlib_rs::{Deflate, DeflateFlush, Inflate, InflateError, InflateFlush, Status};

use super::{SpdyError, dictionary::dictionary};

/// How big headers can be when they are unpacked.
const LARGEST: usize = 64 * 1024;

/// Names and values.
pub(in super::super) type Headers = Vec<(String, String)>;

/// Unpacks the headers that come in.
pub(super) struct Unpacker(Inflate);

impl Unpacker {
    pub(super) fn new() -> Self {
        Self(Inflate::new(true, 15))
    }

    /// The headers in a block. All blocks of a connection have to go through here, in their order.
    pub(super) fn unpack(&mut self, block: &[u8]) -> Result<Headers, SpdyError> {
        parse(&self.inflate(block)?)
    }

    fn inflate(&mut self, mut block: &[u8]) -> Result<Vec<u8>, SpdyError> {
        let mut out = vec![0; LARGEST];
        let mut filled = 0;
        loop {
            let (before_in, before_out) = (self.0.total_in(), self.0.total_out());
            let result = self.0.decompress(block, &mut out[filled..], InflateFlush::SyncFlush);
            let taken = usize::try_from(self.0.total_in() - before_in).unwrap_or(usize::MAX);
            let made = usize::try_from(self.0.total_out() - before_out).unwrap_or(usize::MAX);
            block = block.get(taken..).ok_or(SpdyError::Headers)?;
            filled += made;
            match result {
                Err(InflateError::NeedDict { .. }) => {
                    self.0.set_dictionary(&dictionary()).map_err(|_| SpdyError::Headers)?;
                }
                Err(_) | Ok(Status::StreamEnd) => return Err(SpdyError::Headers),
                Ok(_) if filled == out.len() => return Err(SpdyError::TooBig),
                Ok(_) if block.is_empty() || taken == 0 && made == 0 => break,
                Ok(_) => {}
            }
        }
        out.truncate(filled);
        Ok(out)
    }
}

/// Reads what was unpacked.
fn parse(mut bytes: &[u8]) -> Result<Headers, SpdyError> {
    let pairs = number(&mut bytes)?;
    let mut headers = Headers::new();
    for _ in 0..pairs {
        let name = text(&mut bytes)?;
        headers.push((name, text(&mut bytes)?));
    }
    Ok(headers)
}

fn number(bytes: &mut &[u8]) -> Result<usize, SpdyError> {
    let (number, rest) = bytes.split_first_chunk::<4>().ok_or(SpdyError::Headers)?;
    *bytes = rest;
    usize::try_from(u32::from_be_bytes(*number)).map_err(|_| SpdyError::Headers)
}

fn text(bytes: &mut &[u8]) -> Result<String, SpdyError> {
    let length = number(bytes)?;
    let (text, rest) = bytes.split_at_checked(length).ok_or(SpdyError::Headers)?;
    *bytes = rest;
    Ok(String::from_utf8_lossy(text).into_owned())
}

/// Packs the headers that go out.
pub(super) struct Packer(Deflate);

impl Packer {
    pub(super) fn new() -> Result<Self, SpdyError> {
        let mut deflate = Deflate::new(6, true, 15);
        deflate.set_dictionary(&dictionary()).map_err(|_| SpdyError::Headers)?;
        Ok(Self(deflate))
    }

    /// The block for headers. All blocks have to be sent in the order in which they were made.
    pub(super) fn pack(&mut self, headers: &[(&str, &str)]) -> Result<Vec<u8>, SpdyError> {
        let length = |n: usize| u32::try_from(n).map(u32::to_be_bytes).map_err(|_| SpdyError::TooBig);
        let mut plain = length(headers.len())?.to_vec();
        for text in headers.iter().flat_map(|(name, value)| [name, value]) {
            plain.extend(length(text.len())?);
            plain.extend(text.bytes());
        }
        let mut out = vec![0; plain.len() * 2 + 64];
        let before = self.0.total_out();
        self.0.compress(&plain, &mut out, DeflateFlush::SyncFlush).map_err(|_| SpdyError::Headers)?;
        out.truncate(usize::try_from(self.0.total_out() - before).unwrap_or_default());
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_again_and_again() {
        let (mut packer, mut unpacker) = (Packer::new().unwrap(), Unpacker::new());
        for n in 0..50 {
            let id = n.to_string();
            let headers = [("streamtype", "error"), ("port", "8080"), ("requestid", id.as_str())];
            let block = packer.pack(&headers).unwrap();
            let back = unpacker.unpack(&block).unwrap();
            let back: Vec<(&str, &str)> = back.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!(back, headers);
        }
    }

    #[test]
    fn bombs_and_rubbish_are_refused() {
        let mut packer = Packer::new().unwrap();
        let long = "x".repeat(2 * LARGEST);
        let bomb = packer.pack(&[("a", &long)]).unwrap();
        assert!(bomb.len() < 1000);
        assert_eq!(Unpacker::new().unpack(&bomb), Err(SpdyError::TooBig));
        for rubbish in [&b"\x00\x01\x02"[..], b"", &[0xff; 100], &bomb[..20]] {
            assert!(Unpacker::new().unpack(rubbish).is_err());
        }
        for lengths in [[0, 0, 0, 9].as_slice(), &[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 1]] {
            assert_eq!(parse(lengths), Err(SpdyError::Headers));
        }
    }
}
