//! The account of the credentials.

use super::Aws;

impl Aws {
    /// The account: from the credentials themselves, else from AWS STS (GetCallerIdentity needs no
    /// permission). `None` if STS does not answer.
    pub async fn account(&self) -> Option<String> {
        if let Some(account) = &self.identity.account {
            return Some(account.clone());
        }
        let answer = self.identity.sts.get_caller_identity().send().await.ok()?;
        answer.account().map(str::to_owned)
    }
}
