//! What a key may be used for, as Kubernetes names it, and as it stands in a certificate (RFC 5280, 4.2.1.3 and
//! 4.2.1.12). Which usages fit together is not known here.

/// Uses of the key itself, and their bits.
const KEY: [(&str, u8); 10] = [
    ("signing", 0),
    ("digital signature", 0),
    ("content commitment", 1),
    ("key encipherment", 2),
    ("data encipherment", 3),
    ("key agreement", 4),
    ("cert sign", 5),
    ("crl sign", 6),
    ("encipher only", 7),
    ("decipher only", 8),
];

/// Purposes, in the order in which they are written.
const EXTENDED: [(&str, &[u64]); 13] = [
    ("any", &[2, 5, 29, 37, 0]),
    ("server auth", &[1, 3, 6, 1, 5, 5, 7, 3, 1]),
    ("client auth", &[1, 3, 6, 1, 5, 5, 7, 3, 2]),
    ("code signing", &[1, 3, 6, 1, 5, 5, 7, 3, 3]),
    ("email protection", &[1, 3, 6, 1, 5, 5, 7, 3, 4]),
    ("s/mime", &[1, 3, 6, 1, 5, 5, 7, 3, 4]),
    ("ipsec end system", &[1, 3, 6, 1, 5, 5, 7, 3, 5]),
    ("ipsec tunnel", &[1, 3, 6, 1, 5, 5, 7, 3, 6]),
    ("ipsec user", &[1, 3, 6, 1, 5, 5, 7, 3, 7]),
    ("timestamping", &[1, 3, 6, 1, 5, 5, 7, 3, 8]),
    ("ocsp signing", &[1, 3, 6, 1, 5, 5, 7, 3, 9]),
    ("microsoft sgc", &[1, 3, 6, 1, 4, 1, 311, 10, 3, 3]),
    ("netscape sgc", &[2, 16, 840, 1, 113_730, 4, 1]),
];

/// All names of usages, sorted.
#[must_use]
pub fn usages() -> Vec<&'static str> {
    let names = KEY.iter().map(|(name, _)| *name).chain(EXTENDED.iter().map(|(name, _)| *name));
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names
}

/// The bits of those usages that are the key's own, the first at the top.
pub(crate) fn key_bits(usages: &[&str]) -> u16 {
    let chosen = KEY.iter().filter(|(name, _)| usages.contains(name));
    chosen.fold(0, |bits, (_, bit)| bits | 1 << (15 - bit))
}

/// The object identifiers of those usages that are purposes.
pub(crate) fn purposes(usages: &[&str]) -> Vec<&'static [u64]> {
    let chosen = EXTENDED.iter().filter(|(name, _)| usages.contains(name));
    let mut chosen: Vec<&[u64]> = chosen.map(|(_, identifier)| *identifier).collect();
    chosen.dedup();
    chosen
}
