//! Sets of IPv4 addresses and ports, and what is left of one when another is taken away.

use std::{fmt, net::Ipv4Addr};

/// The addresses that have their first bits in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Block {
    base: u32,
    bits: u8,
}

impl Block {
    /// All addresses.
    pub(super) const ALL: Self = Self { base: 0, bits: 0 };

    /// The block that an address is in, without what it has beyond the first bits.
    pub(super) fn new(address: Ipv4Addr, bits: u8) -> Self {
        let bits = bits.min(32);
        Self { base: address.to_bits() & mask(bits), bits }
    }

    pub(super) fn contains(self, other: Self) -> bool {
        self.bits <= other.bits && other.base & mask(self.bits) == self.base
    }

    /// The smaller one of two blocks that have addresses in common.
    fn common(self, other: Self) -> Option<Self> {
        match (self.contains(other), other.contains(self)) {
            (true, _) => Some(other),
            (_, true) => Some(self),
            _ => None,
        }
    }

    /// What is left of it without another, in blocks.
    fn without(self, other: Self) -> Vec<Self> {
        if !self.contains(other) {
            return if other.contains(self) { Vec::new() } else { vec![self] };
        }
        // The other halves on the way down.
        let halves = (self.bits + 1..=other.bits).map(|bits| {
            let bit = 1 << (32 - u32::from(bits));
            Self { base: (other.base ^ bit) & mask(bits), bits }
        });
        halves.collect()
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from_bits(self.base), self.bits)
    }
}

fn mask(bits: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0)
}

/// Protocols with their ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Ports {
    /// Everything.
    All,
    /// TCP, from one port to another.
    Tcp(u16, u16),
    /// UDP, all ports.
    Udp,
    /// ICMP.
    Icmp,
}

impl Ports {
    /// What is left without others. Only everything, or ports of TCP, are ever taken away.
    fn without(self, other: Self) -> Vec<Self> {
        match (self, other) {
            (_, Self::All) => Vec::new(),
            (Self::All, Self::Tcp(..)) => {
                let tcp = Self::Tcp(0, u16::MAX).without(other);
                tcp.into_iter().chain([Self::Udp, Self::Icmp]).collect()
            }
            (Self::Tcp(from, to), Self::Tcp(first, last)) => {
                let below = first.checked_sub(1).map(|last| (from, to.min(last)));
                let above = last.checked_add(1).map(|first| (from.max(first), to));
                let parts = below.into_iter().chain(above).filter(|(from, to)| from <= to);
                parts.map(|(from, to)| Self::Tcp(from, to)).collect()
            }
            (one, other) if one == other => Vec::new(),
            (one, _) => vec![one],
        }
    }
}

/// Addresses with protocols and ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Region {
    pub(super) block: Block,
    pub(super) ports: Ports,
}

impl Region {
    /// What is left of it without another.
    pub(super) fn without(self, other: Self) -> Vec<Self> {
        let Some(common) = self.block.common(other.block) else { return vec![self] };
        let outside = self.block.without(other.block).into_iter().map(|block| Self { block, ..self });
        let inside = self.ports.without(other.ports).into_iter().map(|ports| Self { block: common, ports });
        // Where nothing of it is taken away, it stays in one piece.
        if self.ports.without(other.ports) == [self.ports] {
            vec![self]
        } else {
            outside.chain(inside).collect()
        }
    }

    /// What is left of it without all of these.
    pub(super) fn without_all(self, others: &[Self]) -> Vec<Self> {
        let mut left = vec![self];
        for other in others {
            left = left.into_iter().flat_map(|piece| piece.without(*other)).collect();
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(text: &str) -> Block {
        let (address, bits) = text.split_once('/').unwrap();
        Block::new(address.parse().unwrap(), bits.parse().unwrap())
    }

    #[test]
    fn what_is_left_of_everything_is_the_other_halves() {
        let left = Block::ALL.without(block("10.25.7.0/24"));
        assert_eq!(left.len(), 24);
        assert_eq!(left[0], block("128.0.0.0/1"));
        assert_eq!(left[23], block("10.25.6.0/24"));
        assert_eq!(block("10.0.0.0/8").without(block("11.0.0.0/8")), [block("10.0.0.0/8")]);
        assert!(block("10.0.0.0/8").without(Block::ALL).is_empty());
        assert!(block("10.1.2.3/32").without(block("10.1.2.3/32")).is_empty());
        assert_eq!(block("10.1.2.3/31").without(block("10.1.2.3/32")), [block("10.1.2.2/32")]);
    }

    #[test]
    fn a_port_that_is_taken_away_leaves_the_others_and_the_other_protocols() {
        let all = Region { block: block("10.0.0.0/24"), ports: Ports::All };
        let https = Region { block: block("10.0.0.0/24"), ports: Ports::Tcp(443, 443) };
        let ports: Vec<Ports> = all.without(https).into_iter().map(|region| region.ports).collect();
        assert_eq!(ports, [Ports::Tcp(0, 442), Ports::Tcp(444, u16::MAX), Ports::Udp, Ports::Icmp]);
        for (first, rest) in [(0, Ports::Tcp(1, u16::MAX)), (u16::MAX, Ports::Tcp(0, u16::MAX - 1))] {
            assert_eq!(Ports::Tcp(0, u16::MAX).without(Ports::Tcp(first, first)), [rest]);
        }
        let ssh = Region { ports: Ports::Tcp(22, 22), ..https };
        assert_eq!(https.without(ssh), [https], "what has nothing in common stays in one piece");
        assert!(https.without(all).is_empty());
    }
}
