//! Amazon CloudWatch Logs: the events of a stream. Without the feature `logs` there are none.

use super::Aws;
use crate::call::Call;
use crate::error::Failure;
use crate::model::log::{From, Page, Stream};

#[cfg(feature = "logs")]
pub(super) use with_sdk::LogClients;

#[cfg(feature = "logs")]
mod with_sdk {
    use std::time::{Duration, SystemTime};

    use aws_sdk_cloudwatchlogs::config::{Builder, Region};
    use aws_sdk_cloudwatchlogs::{Client, Config};
    use aws_smithy_types::timeout::TimeoutConfig;

    use super::*;
    use crate::aws::error::of;
    use crate::aws::once;

    /// Whoever waits for a task waits no longer for what it logs.
    const PATIENCE: Duration = Duration::from_secs(5);

    /// A container may log to another region.
    pub(in crate::aws) struct LogClients {
        pub(in crate::aws) config: Builder,
    }

    impl LogClients {
        fn of(&self, region: &str) -> Client {
            let region = Region::new(region.to_owned());
            Client::from_conf(self.config.clone().region(region).build())
        }
    }

    impl Aws {
        /// Events of a stream. It is asked once: whoever follows it comes again.
        pub(crate) async fn log_events(
            &self,
            stream: &Stream,
            from: From<'_>,
        ) -> Result<Page, Failure> {
            let Stream { region, group, name } = stream;
            let region = region.as_deref().unwrap_or(&self.region);
            let call = Call::GetLogEvents.on(format!("{name} of {group} in {region}"));
            let request = self.logs.of(region).get_log_events();
            let request = request.log_group_name(group).log_stream_name(name);
            let request = match from {
                From::Head => request.start_from_head(true),
                From::Token(token) => request.start_from_head(true).next_token(token),
                From::Last(count) => request.limit(count.into()),
            };
            let patience = TimeoutConfig::builder().operation_timeout(PATIENCE).build();
            let hurried = Config::builder().retry_config(once()).timeout_config(patience);
            let sent = request.customize().config_override(hurried).send().await;
            let answer = sent.map_err(of(call))?;
            let event = |event: &aws_sdk_cloudwatchlogs::types::OutputLogEvent| {
                let at = u64::try_from(event.timestamp().unwrap_or_default()).unwrap_or_default();
                let message = event.message().unwrap_or_default().to_owned();
                (SystemTime::UNIX_EPOCH + Duration::from_millis(at), message)
            };
            Ok(Page {
                events: answer.events().iter().map(event).collect(),
                next: answer.next_forward_token().map(str::to_owned),
            })
        }
    }
}

#[cfg(not(feature = "logs"))]
impl Aws {
    /// Nothing: this program was built without them.
    pub(crate) async fn log_events(&self, _: &Stream, _: From<'_>) -> Result<Page, Failure> {
        Ok(Page::default())
    }
}
