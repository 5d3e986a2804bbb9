//! Quotas of Elastic Load Balancing, and what is counted against them.

use std::collections::BTreeMap;

use super::Aws;
use super::error::of;
use crate::call::Call;
use crate::error::Failure;
use crate::model::quota::Quotas;

impl Aws {
    /// Quotas of this account and region. `counts`: and its target groups.
    pub async fn quotas(&self, counts: bool) -> Result<Quotas, Failure> {
        let mut quotas = Quotas { limits: self.limits().await?, ..Quotas::default() };
        if counts {
            let request = self.elb.describe_target_groups().page_size(400).into_paginator().items();
            let groups = request.send().collect::<Result<Vec<_>, _>>().await;
            let groups = groups.map_err(of(Call::DescribeTargetGroups.on("of the region")))?;
            quotas.groups = Some(groups.len());
            for arn in
                groups.iter().flat_map(|group| super::survey::distinct(group.load_balancer_arns()))
            {
                *quotas.groups_of.entry(arn).or_default() += 1;
            }
        }
        Ok(quotas)
    }

    async fn limits(&self) -> Result<BTreeMap<String, usize>, Failure> {
        let (mut limits, mut marker) = (BTreeMap::new(), None);
        loop {
            let request = self.elb.describe_account_limits().page_size(400).set_marker(marker);
            let about = Call::DescribeAccountLimits.on("of Elastic Load Balancing");
            let page = request.send().await.map_err(of(about))?;
            let own = page.limits().iter();
            limits.extend(
                own.filter_map(|one| Some((one.name()?.to_owned(), one.max()?.parse().ok()?))),
            );
            marker = page.next_marker().filter(|marker| !marker.is_empty()).map(str::to_owned);
            if marker.is_none() {
                return Ok(limits);
            }
        }
    }
}
