//! Names that AWS makes up, from a seed: the same world gets the same ids each time.
//! SplitMix64; nothing here is meant to be unpredictable.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Ids(u64);

impl Ids {
    pub(crate) fn new(seed: u64) -> Ids {
        Ids(seed)
    }

    /// A generator for names that depend on a text only, such as a page's token.
    pub(crate) fn of(text: &str) -> Ids {
        Ids(text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// `length` hexadecimal digits: task ids have 32, load-balancer ids 16.
    pub(crate) fn hex(&mut self, length: usize) -> String {
        let mut text = String::with_capacity(length + 16);
        while text.len() < length {
            text.push_str(&format!("{:016x}", self.number()));
        }
        text.truncate(length);
        text
    }

    /// 19 digits, as in `ecs-svc/1234567890123456789`.
    pub(crate) fn digits(&mut self) -> String {
        (1_000_000_000_000_000_000 + self.number() % 8_000_000_000_000_000_000).to_string()
    }

    /// Letters of base64url, as in the names of service deployments.
    pub(crate) fn token(&mut self, length: usize) -> String {
        const LETTERS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        (0..length).map(|_| char::from(LETTERS[(self.number() >> 58) as usize])).collect()
    }

    pub(crate) fn uuid(&mut self) -> String {
        let hex = self.hex(32);
        format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
    }
}
