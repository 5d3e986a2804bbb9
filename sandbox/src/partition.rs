//! The partitions of AWS: which one a region is in, and what names in it end with (AWS General Reference,
//! "Amazon Resource Names"; AWS SDKs, `partitions.json`).

/// A partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    /// The second part of each of its ARNs.
    pub(crate) name: &'static str,
    /// The end of its host names.
    pub(crate) suffix: &'static str,
}

const PARTITIONS: [(&str, Partition); 5] = [
    ("cn-", of("aws-cn", "amazonaws.com.cn")),
    ("us-gov-", of("aws-us-gov", "amazonaws.com")),
    ("eusc-", of("aws-eusc", "amazonaws.eu")),
    ("us-iso-", of("aws-iso", "c2s.ic.gov")),
    ("us-isob-", of("aws-iso-b", "sc2s.sgov.gov")),
];

const fn of(name: &'static str, suffix: &'static str) -> Partition {
    Partition { name, suffix }
}

/// The partition of a region.
pub(crate) fn partition(region: &str) -> Partition {
    let found = PARTITIONS.iter().find(|(prefix, _)| region.starts_with(prefix));
    found.map_or(of("aws", "amazonaws.com"), |(_, partition)| *partition)
}
