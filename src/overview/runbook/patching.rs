//! Chapter 3: packages, images, and mainstay itself.

use super::{page::Page, settings::Settings};

pub(super) fn write(settings: &Settings, page: &mut Page) {
    let told = match settings.host.is_some() {
        true => "`host.updates` of `mainstay check` tells which wait",
        false => "with `[host]` in the configuration `host.updates` tells which wait",
    };
    page.says(&format!(
        "**Not automated:** mainstay installs no updates; {told}. On Debian and Ubuntu `unattended-upgrades` does it for security; \
         what is left is a person's, once a month:"
    ));
    page.shell(
        "sudo apt-get update && apt list --upgradable\n\
         sudo apt-get upgrade\n\
         cat /run/reboot-required 2>/dev/null      # is there: restart in a quiet hour\n\
         sudo systemctl reboot",
    );
    let containers = settings.containers();
    if !containers.is_empty() {
        page.heading(3, "Containers");
        page.says(
            "An update of an image is a new container. See first what runs, and look afterwards whether it serves:",
        );
        let mut lines: Vec<String> = containers
            .iter()
            .map(|reference| {
                format!(
                    "docker inspect --format '{{{{.Name}}}} {{{{.Config.Image}}}} {{{{.Created}}}}' {}",
                    reference.in_shell()
                )
            })
            .collect();
        lines.push("docker compose pull && docker compose up -d      # in the folder of the compose file".to_owned());
        lines.push("mainstay check --wait 60s".to_owned());
        page.shell(&lines.join("\n"));
    }
    page.heading(3, "Before and after");
    page.shell(
        "mainstay backup create                    # before: secrets and configuration\n\
         mainstay check --wait 60s                 # after: everything that must hold",
    );
    page.heading(3, "mainstay");
    page.shell(
        "mainstay --version\n\
         mainstay config check                     # after an upgrade: the configuration still holds\n\
         mainstay runbook --check MAINTENANCE.md   # and so does this page",
    );
}
