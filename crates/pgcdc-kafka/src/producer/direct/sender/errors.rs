//! Errors that end the producer, with what a person can do.

use super::super::failure::{Resource, unauthorized};
use super::super::state::Sender;
use crate::{Code, Error};

impl Sender {
    /// A record for a topic cannot be delivered.
    pub(super) fn undelivered(&self, topic: &str, code: Code) -> Error {
        let what = format!("deliver a record to topic {topic:?}");
        match code {
            Code::TopicAuthorizationFailed => self.unauthorized(Resource::Topic(topic), code, &what),
            _ => self.refused(&what, code),
        }
    }

    /// A broker refused a request.
    pub(super) fn refused(&self, what: &str, code: Code) -> Error {
        let id = self.options.transactional.as_ref().map_or("", |(id, _)| id.as_str());
        match code {
            Code::ClusterAuthorizationFailed => {
                let topic = self.topics.first().map(|topic| topic.name.as_str());
                self.unauthorized(Resource::Cluster(topic), code, what)
            }
            Code::TransactionalIdAuthorizationFailed => {
                self.unauthorized(Resource::TransactionalId(id), code, what)
            }
            _ => Error::refused(what, code),
        }
    }

    /// A user lacks a right: the error has the command that grants it.
    fn unauthorized(&self, resource: Resource<'_>, code: Code, what: &str) -> Error {
        unauthorized(resource, code, self.profile.security.user(), &self.options.bootstrap.join(","), what)
    }
}
