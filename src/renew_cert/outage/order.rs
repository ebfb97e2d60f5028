//! In which order containers are stopped: those that depend on others first. They are started in the reverse order.

use crate::{rules::restartable::depends_on, system::docker::Container};

/// The containers in the order of stopping. Without labels (Compose 1, plain `docker run`) the order stays.
pub(super) fn order<T>(mut left: Vec<T>, container: impl Fn(&T) -> Option<&Container>) -> Vec<T> {
    let mut ordered = Vec::new();
    while !left.is_empty() {
        // One that nobody else, of those left, depends on; in a circle, the first.
        let free = |one: &T| !left.iter().any(|other| depends(container(other), container(one)));
        let next = left.iter().position(free).unwrap_or(0);
        ordered.push(left.remove(next));
    }
    ordered
}

/// Whether one container's Compose service depends on the other's.
fn depends(one: Option<&Container>, other: Option<&Container>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return false };
    let label = |container: &Container, name: &str| {
        container.label(&format!("com.docker.compose.{name}")).unwrap_or_default().to_owned()
    };
    let project = label(one, "project");
    let same = !project.is_empty() && project == label(other, "project") && one.id != other.id;
    same && depends_on(&label(one, "depends_on")).contains(&label(other, "service").as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(service: &str, depends_on: &str) -> Container {
        let label = |name: &str, value: &str| (format!("com.docker.compose.{name}"), value.to_owned());
        let labels = vec![label("project", "prime"), label("service", service), label("depends_on", depends_on)];
        Container { id: service.into(), name: service.into(), labels, ..Container::default() }
    }

    fn names(containers: Vec<Container>) -> Vec<String> {
        order(containers, |container| Some(container)).into_iter().map(|container| container.name).collect()
    }

    #[test]
    fn renew_case_33_what_depends_on_others_is_stopped_first_and_started_last() {
        // Labels as Compose 2 writes them, recorded: Debian has Compose 1, which writes no `depends_on`.
        let db = || container("db", "");
        let app = || container("app", "db:service_healthy:true");
        let web = || container("web", "app:service_started:false,db:service_started:false");
        assert_eq!(names(vec![db(), web(), app()]), ["web", "app", "db"]);
        assert_eq!(names(vec![app(), db(), web()]), ["web", "app", "db"]);
        // Nothing is known of their order: it stays, and is reversed for the start.
        assert_eq!(names(vec![container("b", ""), container("a", "")]), ["b", "a"]);
        // A circle cannot be, and would not hang.
        assert_eq!(names(vec![container("a", "b:x"), container("b", "a:x")]), ["a", "b"]);
    }
}
