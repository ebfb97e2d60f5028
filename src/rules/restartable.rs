//! Whether a container that is stopped would come back: judged before it is.
//!
//! Labels are those that Docker Swarm, the kubelet (cri-dockerd) and podman's quadlet units set.

/// What is known of a container that is about to be stopped.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Facts {
    /// `State.Status`, once it has settled.
    pub state: String,
    /// `HostConfig.AutoRemove`.
    pub auto_remove: bool,
    /// `Config.Labels`.
    pub labels: Vec<(String, String)>,
    /// What `nginx -t` said in the container.
    pub tested: Tested,
    /// The image, when it is not there any more.
    pub missing_image: Option<String>,
    /// Sources of mounts that are not there any more.
    pub missing_mounts: Vec<String>,
    /// Networks that are not there any more.
    pub missing_networks: Vec<String>,
}

/// What came of `nginx -t`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Tested {
    /// It would start.
    Fine,
    /// It would not; what it said.
    Broken(String),
    /// It did not end in so many seconds.
    Slow(u64),
    /// There is no `nginx` in it.
    #[default]
    NotNginx,
    /// It could not be asked, and no nginx is known to run in it; why.
    Unasked(String),
    /// An nginx runs in it and could not be asked; why.
    Unproved(String),
}

/// Why a container must not be stopped.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Obstacle {
    /// A word for `data.reason`.
    pub reason: &'static str,
    /// Why, after "the container `web` may not be stopped:".
    pub why: String,
    /// What to do.
    pub fix: String,
}

/// Everything that speaks against stopping the container `name`; empty when it would come back.
pub fn judge(name: &str, facts: &Facts) -> Vec<Obstacle> {
    let mut found = Vec::new();
    let mut add = |reason, why: String, fix: String| found.push(Obstacle { reason, why, fix });
    if facts.auto_remove {
        let why = "it was started with `--rm`, so the engine removes it when it stops";
        add("auto-remove", why.to_owned(), format!("make `{name}` anew without `--rm`, or renew by webroot"));
    }
    if let Some(manager) = manager(&facts.labels) {
        add("managed", format!("{manager} manages it and would start it again at once"), "renew by webroot".to_owned());
    }
    if !matches!(facts.state.as_str(), "running" | "paused") {
        let why = format!("it is {} and did not settle", facts.state);
        add("not-settled", why, format!("see `docker logs --tail 50 {name}` for why it does not stay up"));
    }
    match &facts.tested {
        Tested::Broken(said) => {
            let why = format!("nginx in it would not start again: {said}");
            add(
                "nginx-test",
                why,
                format!("mend what `docker exec {name} nginx -t` says first; it still serves meanwhile"),
            );
        }
        Tested::Slow(seconds) => {
            let why =
                format!("`nginx -t` in it did not end within {seconds} s, so nobody knows whether it would start");
            add("nginx-test", why, format!("see whether `docker exec {name} nginx -t` waits for a dead resolver"));
        }
        Tested::Unproved(why) => {
            let why =
                format!("`nginx -t` could not be run in it, so nobody knows whether nginx would start again: {why}");
            add("nginx-test", why, format!("see what `docker exec {name} nginx -t` says, or renew by webroot"));
        }
        Tested::Fine | Tested::NotNginx | Tested::Unasked(_) => {}
    }
    if let Some(image) = &facts.missing_image {
        let fix = format!("pull or build `{image}` again");
        add("image-gone", format!("its image `{image}` is not there any more"), fix);
    }
    for source in &facts.missing_mounts {
        let why = format!("`{source}`, which is mounted into it, is not there any more");
        add("mount-gone", why, format!("bring `{source}` back, or make `{name}` anew without it"));
    }
    for network in &facts.missing_networks {
        let why = format!("its network `{network}` is not there any more");
        add("network-gone", why, format!("make it again (`docker network create {network}`), or `{name}` anew"));
    }
    found
}

/// What is not proved although nothing speaks against it.
pub fn unproved(name: &str, facts: &Facts) -> Option<String> {
    match &facts.tested {
        Tested::NotNginx => {
            Some(format!("there is no nginx in `{name}`, so its configuration is not tested before it is stopped"))
        }
        Tested::Unasked(why) => Some(format!("`nginx -t` could not be run in `{name}`: {why}")),
        Tested::Fine | Tested::Broken(_) | Tested::Slow(_) | Tested::Unproved(_) => None,
    }
}

/// Who starts the container by itself.
fn manager(labels: &[(String, String)]) -> Option<&'static str> {
    let has = |name: &str| labels.iter().any(|(label, _)| label == name);
    if has("com.docker.swarm.task.id") || has("com.docker.swarm.service.id") {
        Some("Docker Swarm")
    } else if has("io.kubernetes.pod.name") || has("io.kubernetes.pod.uid") {
        Some("Kubernetes")
    } else if has("PODMAN_SYSTEMD_UNIT") {
        Some("systemd (a podman unit)")
    } else {
        None
    }
}

/// The services that a Compose service depends on, by the label `com.docker.compose.depends_on` of Compose 2:
/// `web:service_started:false,db:service_healthy:true`. Compose 1 sets none.
pub fn depends_on(label: &str) -> Vec<&str> {
    label.split(',').filter_map(|part| part.split(':').next()).map(str::trim).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fine() -> Facts {
        Facts { state: "running".into(), tested: Tested::Fine, ..Facts::default() }
    }

    fn reasons(facts: &Facts) -> Vec<&'static str> {
        judge("web", facts).iter().map(|obstacle| obstacle.reason).collect()
    }

    fn labelled(label: &str) -> Facts {
        Facts { labels: vec![(label.into(), "x".into())], ..fine() }
    }

    #[test]
    fn what_is_fine_may_be_stopped() {
        assert_eq!(judge("web", &fine()), []);
        assert_eq!(unproved("web", &fine()), None);
        assert_eq!(judge("web", &Facts { state: "paused".into(), ..fine() }), []);
    }

    #[test]
    fn renew_case_20_a_container_that_stopping_removes_is_not_stopped() {
        let found = judge("web", &Facts { auto_remove: true, ..fine() });
        assert_eq!((found.len(), found[0].reason), (1, "auto-remove"));
        assert!(found[0].why.contains("--rm") && found[0].fix.contains("webroot"), "{found:?}");
    }

    #[test]
    fn renew_case_21_what_a_manager_starts_again_is_not_stopped() {
        // Recorded labels: the test bed has neither a swarm nor Kubernetes nor quadlet.
        for (label, who) in [
            ("com.docker.swarm.task.id", "Docker Swarm"),
            ("com.docker.swarm.service.id", "Docker Swarm"),
            ("io.kubernetes.pod.name", "Kubernetes"),
            ("PODMAN_SYSTEMD_UNIT", "systemd"),
        ] {
            let found = judge("web", &labelled(label));
            assert_eq!((found.len(), found[0].reason), (1, "managed"), "{label}");
            assert!(found[0].why.starts_with(who), "{found:?}");
        }
        assert_eq!(reasons(&labelled("com.docker.compose.project")), [""; 0]);
    }

    #[test]
    fn renew_case_22_what_restarts_again_and_again_is_not_stopped() {
        for state in ["restarting", "exited", "created", "dead", "removing"] {
            assert_eq!(reasons(&Facts { state: state.into(), ..fine() }), ["not-settled"], "{state}");
        }
    }

    #[test]
    fn renew_case_32_what_would_not_start_again_is_not_stopped() {
        let broken = Facts { tested: Tested::Broken("host not found in upstream `app`".into()), ..fine() };
        assert!(judge("web", &broken)[0].why.contains("host not found in upstream"));
        let gone = Facts {
            missing_image: Some("nginx:1.27".into()),
            missing_mounts: vec!["/srv/a".into(), "/srv/b".into()],
            missing_networks: vec!["prime".into()],
            ..fine()
        };
        assert_eq!(reasons(&gone), ["image-gone", "mount-gone", "mount-gone", "network-gone"]);
    }

    #[test]
    fn renew_case_32_an_nginx_that_could_not_be_tested_is_not_stopped() {
        let found = judge("web", &Facts { tested: Tested::Unproved("no room".into()), ..fine() });
        assert_eq!((found.len(), found[0].reason), (1, "nginx-test"));
        assert!(found[0].why.ends_with("would start again: no room") && found[0].fix.contains("webroot"), "{found:?}");
        // Another server than nginx has no such test, and is stopped as ever.
        for tested in [Tested::NotNginx, Tested::Unasked("no room".into())] {
            assert_eq!(judge("web", &Facts { tested, ..fine() }), []);
        }
    }

    #[test]
    fn renew_case_39_a_test_that_does_not_end_is_no_proof_and_says_so() {
        let found = judge("web", &Facts { tested: Tested::Slow(30), ..fine() });
        assert!(found[0].why.contains("did not end within 30 s") && found[0].fix.contains("resolver"), "{found:?}");
    }

    #[test]
    fn what_could_not_be_tested_is_said() {
        assert!(unproved("web", &Facts { tested: Tested::NotNginx, ..fine() }).unwrap().contains("no nginx"));
        assert!(
            unproved("web", &Facts { tested: Tested::Unasked("it is paused".into()), ..fine() })
                .unwrap()
                .contains("paused")
        );
    }

    #[test]
    fn the_label_of_compose_is_read() {
        assert_eq!(depends_on("web:service_started:false,db:service_healthy:true"), ["web", "db"]);
        assert_eq!(depends_on(""), [""; 0]);
    }
}
