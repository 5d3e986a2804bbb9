//! Quotas of Elastic Load Balancing and of AWS Fargate, and what is counted against them.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use futures_util::future::try_join;
use serde_json::Value;

use super::Aws;
use super::error::of;
use super::observe::unreadable;
use super::rules::{flatten, get, members, versioned};
use super::signed::{CLOUDWATCH, QUOTAS};
use crate::call::Call;
use crate::error::Failure;
use crate::error::FailureKind;
use crate::model::quota::{Fargate, Quotas};

impl Aws {
    /// Quotas of this account and region. `counts`: and its target groups.
    pub async fn quotas(&self, counts: bool) -> Result<Quotas, Failure> {
        let groups = async {
            if !counts {
                return Ok(None);
            }
            let request = self.elb.describe_target_groups().page_size(400).into_paginator().items();
            let groups = request.send().collect::<Result<Vec<_>, _>>().await;
            groups.map(Some).map_err(of(Call::DescribeTargetGroups.on("of the region")))
        };
        let (limits, groups) = try_join(self.limits(), groups).await?;
        let mut groups_of: BTreeMap<String, usize> = BTreeMap::new();
        for group in groups.iter().flatten() {
            for arn in super::survey::distinct(group.load_balancer_arns()) {
                *groups_of.entry(arn).or_default() += 1;
            }
        }
        Ok(Quotas { limits, groups: groups.map(|groups| groups.len()), groups_of })
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

    /// How many vCPUs Fargate may run in this region at a time. `None`: AWS does not say.
    pub async fn most_vcpus(&self, of: Fargate) -> Result<Option<f64>, Failure> {
        let about = Call::GetServiceQuota.on(of.code());
        let body = serde_json::json!({ "ServiceCode": "fargate", "QuotaCode": of.code() });
        match self.signed.send(QUOTAS, &self.region, about.clone(), body.to_string()).await {
            // Not in every region.
            Err(failure) if failure.kind == FailureKind::Missing => Ok(None),
            Err(failure) => Err(failure),
            Ok(answer) => {
                let answer: Value =
                    serde_json::from_str(&answer).map_err(|error| unreadable(&about, error))?;
                Ok(answer["Quota"]["Value"].as_f64())
            }
        }
    }

    /// How many it runs: the newest value of the usage metric, which AWS has where something runs.
    pub async fn vcpus_in_use(&self, of: Fargate) -> Result<Option<f64>, Failure> {
        let call = Call::GetMetricStatistics;
        let time = |time: SystemTime| humantime::format_rfc3339_seconds(time).to_string();
        let now = self.date();
        let mut parameters = [
            ("Namespace", "AWS/Usage".to_owned()),
            ("MetricName", "ResourceCount".to_owned()),
            ("StartTime", time(now - RECENT)),
            ("EndTime", time(now)),
            ("Period", "60".to_owned()),
            ("Statistics.member.1", "Maximum".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec();
        let own = [
            ("Service", "Fargate"),
            ("Type", "Resource"),
            ("Resource", "vCPU"),
            ("Class", of.class()),
        ];
        for (number, (name, value)) in (1..).zip(own) {
            parameters.push((format!("Dimensions.member.{number}.Name"), name.to_owned()));
            parameters.push((format!("Dimensions.member.{number}.Value"), value.to_owned()));
        }
        let body = versioned(call.operation(), "2010-08-01", &parameters);
        let about = call.on("of AWS Fargate");
        let answer = self.signed.send(CLOUDWATCH, &self.region, about.clone(), body).await?;
        let leaves = flatten(&answer).map_err(|error| unreadable(&about, error))?;
        let points = members(&leaves, "GetMetricStatisticsResult.Datapoints.");
        let value = |point: &[(&str, &str)]| {
            let used = get(point, "Maximum")?.parse::<f64>().ok()?;
            Some((get(point, "Timestamp")?.to_owned(), used))
        };
        // In no order (API reference); times of one form are in theirs as text.
        let newest = points.iter().filter_map(|point| value(point)).max_by(|a, b| a.0.cmp(&b.0));
        Ok(newest.map(|(_, used)| used))
    }
}

/// How old a value of the usage metric may be.
const RECENT: Duration = Duration::from_secs(15 * 60);
