//! Whose credentials these are.

use super::Aws;

impl Aws {
    /// The account of the credentials: as they say, else as AWS STS does (GetCallerIdentity needs no
    /// permission). `None` where that cannot be asked.
    pub async fn account(&self) -> Option<String> {
        if let Some(account) = &self.identity.account {
            return Some(account.clone());
        }
        let answer = self.identity.sts.get_caller_identity().send().await.ok()?;
        answer.account().map(str::to_owned)
    }
}
