//! The account of the credentials.

use super::Aws;

impl Aws {
    /// The account: from the credentials themselves, else from AWS STS (GetCallerIdentity needs no
    /// permission). `None` if STS does not answer.
    pub async fn account(&self) -> Option<String> {
        if let Some(account) = &self.identity.account {
            return Some(account.clone());
        }
        self.caller().await?.split(':').nth(4).map(str::to_owned)
    }

    /// The ARN of the caller, asked for once. `None` if STS does not answer.
    pub async fn caller(&self) -> Option<String> {
        let asked = self.identity.caller.get_or_init(|| async {
            let answer = self.identity.sts.get_caller_identity().send().await.ok()?;
            answer.arn().map(str::to_owned)
        });
        asked.await.clone()
    }
}
