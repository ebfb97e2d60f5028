//! `mainstay runbook`: the committed example, CI's comparison, and the restore that it promises, carried out by hand.

use std::{fs, path::Path, process::Command};

use crate::program::{Run, World, findings, has_program, skip};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The runbook of the example system, as this build writes it.
fn written() -> String {
    let world = World::new();
    let run = world.run(&["runbook", "--config", &format!("{ROOT}/examples/prime/mainstay.toml")]);
    run.expect_code(0);
    run.stdout
}

/// The blocks of shell commands below a heading, up to the next one of its level.
fn blocks(document: &str, heading: &str) -> Vec<String> {
    let level = heading.split(' ').next().expect("its marks").len();
    let ends = |line: &str| line.starts_with('#') && line.split(' ').next().is_some_and(|marks| marks.len() <= level);
    let mut blocks: Vec<String> = Vec::new();
    let (mut inside, mut block) = (false, None::<String>);
    for line in document.lines() {
        match (&mut block, line) {
            (None, line) if line == heading => inside = true,
            (None, line) if inside && ends(line) => break,
            (None, "```sh") if inside => block = Some(String::new()),
            (Some(text), "```") => {
                blocks.push(std::mem::take(text));
                block = None;
            }
            (Some(text), line) => *text += &format!("{line}\n"),
            _ => {}
        }
    }
    assert!(!blocks.is_empty(), "nothing below {heading:?} in\n{document}");
    blocks
}

#[test]
fn the_committed_example_is_what_is_written() {
    let path = Path::new(ROOT).join("examples/MAINTENANCE.md");
    let written = written();
    if std::env::var_os("MAINSTAY_BLESS").is_some() {
        fs::write(&path, &written).expect("the example can be written");
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == written, "run `MAINSTAY_BLESS=1 cargo test --test cli runbook` and look at the difference");
}

#[test]
fn it_has_every_part_of_the_runbook_that_it_replaces() {
    let document = written();
    for chapter in [
        "## 1. Backups",
        "## 2. Monitoring & Alerts",
        "## 3. Patching & Updates",
        "## 4. Database Maintenance",
        "## 5. Security Maintenance",
        "## 6. Resource Scaling & Cost Management",
        "## 7. Certificate & Domain Renewal",
        "## 8. Housekeeping Tasks",
        "## 9. Audit & Compliance",
        "## 10. Incident Response & Reporting",
    ] {
        assert_eq!(document.lines().filter(|line| *line == chapter).count(), 1, "{chapter}");
    }
    for part in [
        // 1: what is backed up, the copy, the encryption, the regularity, the restore.
        "From `/srv/prime`: `.env`, `.env.*` and `config/`",
        "`mainstay backup create` runs `daily 02:30`",
        "age -d -i \"$KEY\" \"fetched/$ID.tar.gz.age\" | tar -x -z -p -C restored",
        "minisign -V -P \"$SIGNER\" -m \"fetched/$ID.json\"",
        "aws s3 cp s3://prime-backups/app/ fetched/ --recursive",
        "rclone copy gdrive:backups/prime fetched/",
        // Schedulers, the role that takes on a role and invokes the function, and both kinds of machines.
        "On `Mon-Fri 07:00-19:00` in `America/Detroit`, off outside.",
        "aws ec2 stop-instances --instance-ids $IDS",
        "aws rds start-db-instance --db-instance-identifier \"$DB\"",
        "\"Action\": \"lambda:InvokeFunction\"",
        "\"Service\": \"scheduler.amazonaws.com\"",
        "\"Service\": \"lambda.amazonaws.com\"",
        "#### `host`",
        "#### `scheduler`",
        "#### `scheduler trust`",
        "#### `deployer`",
        "#### `function`",
        "#### `function trust`",
        // Renewal both ways, with the containers that hold the port, and what loads the result.
        "--webroot -w /srv/prime/webroot",
        "--standalone",
        "docker stop \"$WEB\"",
        "docker start \"$WEB\"",
        "docker exec prime_webtool_nginx_1 nginx -t && docker exec prime_webtool_nginx_1 nginx -s reload",
        // The five checks.
        "#### 1. TLS is good, and HTTP leads to HTTPS",
        "openssl x509 -noout -subject -issuer -dates",
        "#### 2. nginx uses this configuration, and tells the application what it needs",
        "docker exec prime_webtool_nginx_1 nginx -T",
        "`proxy_set_header X-Forwarded-Proto $scheme;`",
        "#### 3. gunicorn trusts the forwarded headers, and only those",
        "`--forwarded-allow-ips=*`",
        "#### 4. The login leads to its provider",
        "https://prime.example.edu/auth/login",
        "#### 5. gunicorn's workers",
        "`--workers 3`, `--threads 4`, `--timeout 90`",
        // The incidents.
        "### Site down",
        "### Certificate expired",
        "### Secrets lost",
        "### Database does not start",
    ] {
        let plain = document.replace('\n', " ");
        assert!(document.contains(part) || plain.contains(part), "{part:?} is missing in\n{document}");
    }
    // Every link of the contents leads to a heading.
    for anchor in document.split("](#").skip(1).filter_map(|rest| rest.split(')').next()) {
        let slug = |heading: &str| -> String {
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
        };
        let headings = document.lines().filter(|line| line.starts_with('#'));
        assert!(headings.into_iter().any(|line| slug(line.trim_start_matches('#').trim()) == anchor), "{anchor}");
    }
}

#[test]
fn it_is_the_same_in_another_folder_for_another_user_on_another_day() {
    let text = "[site.prime]\nurl = \"https://prime.example.edu\"\nca_file = \"tls/ca.pem\"\n\n[backup.app]\n\
                passphrase = { env = \"SECRET\" }\nto = [\"usb\", \"/mnt/usb\"]\n\n[certificate.prime]\nnames = [\"prime.example.edu\"]\n\
                directory = \"letsencrypt\"\n";
    let mut documents = Vec::new();
    for (folder, zone) in [("one/prime", "UTC"), ("two/checkout-17", "Asia/Kolkata")] {
        let mut world = World::new();
        let file = world.file(&format!("{folder}/mainstay.toml"), text);
        let state = world.folder().join(folder);
        world.set("TZ", zone).set("COLUMNS", zone.len().to_string()).set("MAINSTAY_STATE", state);
        let run = world.run(&["runbook", "--config", &file.display().to_string()]);
        run.expect_code(0);
        assert!(!run.stdout.contains(&world.folder().display().to_string()), "{}", run.stdout);
        assert!(run.stdout.contains("`PROJECT`"), "{}", run.stdout);
        documents.push(run.stdout);
    }
    assert_eq!(documents[0], documents[1]);
}

#[test]
fn ci_is_told_where_the_committed_document_is_out_of_date_and_what_mends_it() {
    let mut world = World::new();
    let state = world.folder().join("state");
    world.set("MAINSTAY_STATE", state);
    let config = "project = \"prime\"\n[site.prime]\nurl = \"https://prime.example.edu\"\n";
    world.file("mainstay.toml", config);
    let document = world.run(&["runbook"]).stdout;
    world.file("MAINTENANCE.md", &document);
    world.run(&["runbook", "--check", "MAINTENANCE.md"]).expect_code(0);

    // What `--live` adds is no difference.
    let live = world.run(&["runbook", "--live"]);
    live.expect_code(0);
    assert!(
        live.stdout.contains("Found on this machine")
            && live.stdout.contains("`backup create` has not run here")
            && live.stdout != document,
        "{}",
        live.stdout
    );
    world.file("LIVE.md", &live.stdout);
    world.run(&["runbook", "--check", "LIVE.md"]).expect_code(0);

    world.file("mainstay.toml", config.replace("prime.example.edu", "www.example.edu"));
    let run = world.run(&["runbook", "--check", "MAINTENANCE.md"]);
    run.expect_code(1);
    for part in [
        "out of date",
        "mainstay runbook > MAINTENANCE.md",
        "-- `https://prime.example.edu/`",
        "+- `https://www.example.edu/`",
    ] {
        assert!(run.stdout.contains(part), "{part}\n{}", run.stdout);
    }
    assert!(run.stdout.lines().count() < 40, "{}", run.stdout);
    let json = world.run(&["runbook", "--check", "MAINTENANCE.md", "--format", "json"]).json();
    let [finding] = &findings(&json, "runbook.fresh")[..] else { panic!("{json}") };
    assert_eq!((&finding["id"], &finding["status"]), (&"runbook.fresh".into(), &"fail".into()), "{json}");

    let absent = world.run(&["runbook", "--check", "NONE.md"]);
    absent.expect_code(1);
    assert!(absent.stdout.contains("mainstay runbook > NONE.md"), "{}", absent.stdout);
    fs::create_dir(world.folder().join("folder")).expect("a folder");
    world.run(&["runbook", "--check", "folder"]).expect_code(3);
    world.run(&["runbook", "--check", "MAINTENANCE.md", "--live"]).expect_code(2);
}

#[test]
fn what_is_not_configured_is_called_not_automated_with_the_lines_that_add_it() {
    let world = World::new();
    world.file("mainstay.toml", "project = \"prime\"\n");
    let document = world.run(&["runbook"]);
    document.expect_code(0);
    let mut added = String::from("project = \"prime\"\n");
    for block in document.stdout.split("```toml\n").skip(1).filter_map(|rest| rest.split("\n```").next()) {
        // A dump belongs to a backup that is there by then.
        added += &format!("{block}\n");
    }
    for section in ["[site.prime]", "[backup.app]", "[certificate.prime]", "[schedule.office-hours]", "[notify]"] {
        assert!(added.contains(section), "{section} is missing in\n{added}");
    }
    assert!(document.stdout.matches("**Not automated:**").count() >= 6, "{}", document.stdout);
    // Together they are a configuration.
    let added = added.replace("age1…", "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p");
    world.file("mainstay.toml", &added);
    world.run(&["config", "check"]).expect_code(0);
}

/// A backup to a folder and to a remote of rclone's, with one archive in each.
fn backed_up(more: &str) -> Option<World> {
    for program in ["age", "tar", "minisign", "jq", "rclone"] {
        if !has_program(program) {
            skip("the restore of the runbook, by hand", &format!("{program} is not installed"));
            return None;
        }
    }
    let mut world = World::new();
    world.set("RCLONE_CONFIG_NAS_TYPE", "local");
    world.file("app/.env", "SECRET=hunter2\n");
    world.file("app/config/app.toml", "workers = 3\n");
    fs::create_dir(world.folder().join("usb")).expect("a folder");
    world.run(&["backup", "keygen", "key.txt"]).expect_code(0);
    let key = fs::read_to_string(world.folder().join("key.txt")).expect("the key");
    let key = key.lines().find_map(|line| line.strip_prefix("# public key: ")).expect("a public key").to_owned();
    let nas = world.folder().join("nas").display().to_string();
    world.file(
        "mainstay.toml",
        format!(
            "project = \"prime\"\nstate = \"state\"\n[backup.app]\nroot = \"app\"\nrecipients = [\"{key}\"]\n\
             to = [\"usb\", \"rclone:nas:{nas}\"]\n{more}"
        ),
    );
    world.run(&["backup", "create"]).expect_code(0);
    Some(world)
}

/// Runs commands as a person types them; the values that the document asks for come before them.
fn typed(world: &World, commands: &str) -> String {
    let signer = fs::read_to_string(world.folder().join("state/signing.pub")).expect("the host's key");
    let signer = signer.lines().last().expect("its second line");
    let script = format!("set -eu\nKEY=key.txt\nSIGNER={signer}\n{commands}");
    let run: Run = crate::program::Running::start(&mut world.wrapped("sh", &["-c", &script])).finish();
    assert_eq!(run.code, Some(0), "{script}\n{}\n{}", run.stdout, run.stderr);
    run.stdout
}

#[test]
fn the_restore_of_the_document_works_without_mainstay() {
    for (more, ending) in [("", ".tar.gz.age"), ("compression = \"zstd\"\n", ".tar.zst.age")] {
        let Some(world) = backed_up(more) else { return };
        let document = world.run(&["runbook"]).stdout;
        let [values, from_folder, from_rclone, open, place] = &blocks(&document, "#### Restore without mainstay")[..]
        else {
            panic!("{document}")
        };
        assert!(values.starts_with("KEY=key.txt") && values.contains("SIGNER="), "{values}");
        for fetch in [from_folder, from_rclone] {
            let file = |name: &str| world.folder().join(name);
            for folder in ["fetched", "restored"] {
                let _ = fs::remove_dir_all(file(folder));
            }
            fs::remove_file(file("app/.env")).expect("lost");
            let said = typed(&world, &format!("{fetch}{open}"));
            assert!(said.contains(&format!("{ending}: OK")), "{said}");
            // `diff` ends with 1 where something is to be brought back, which is why a person looks.
            typed(&world, &place.replace("diff -r restored app", "diff -r restored app || true"));
            assert_eq!(fs::read_to_string(file("app/.env")).expect("back"), "SECRET=hunter2\n");
            assert!(!file("app/.mainstay").exists());
        }
    }
}

#[test]
fn an_archive_that_was_changed_is_noticed_by_the_commands_of_the_document() {
    let Some(world) = backed_up("") else { return };
    let document = world.run(&["runbook"]).stdout;
    let blocks = blocks(&document, "#### Restore without mainstay");
    let archive = fs::read_dir(world.folder().join("usb")).expect("usb").flatten().map(|entry| entry.path());
    let archive = archive.filter(|path| path.to_string_lossy().ends_with(".age")).last().expect("an archive");
    let mut bytes = fs::read(&archive).expect("the archive");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&archive, bytes).expect("changed");
    let signer = fs::read_to_string(world.folder().join("state/signing.pub")).expect("the host's key");
    let script =
        format!("set -eu\nKEY=key.txt\nSIGNER={}\n{}{}", signer.lines().last().expect("a key"), blocks[1], blocks[3]);
    let output = world.wrapped("sh", &["-c", &script]).output().expect("a shell");
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stdout).contains("FAILED"), "{output:?}");
    assert!(!world.folder().join("restored").exists());
}

#[test]
fn an_archive_made_by_the_document_opens() {
    let Some(world) = backed_up("exclude = [\"*.sock\"]\n") else { return };
    let document = world.run(&["runbook"]).stdout;
    let [make] = &blocks(&document, "#### Make one without mainstay")[..] else { panic!("{document}") };
    let listed = typed(&world, &format!("{make}age -d -i \"$KEY\" usb/\"$FILE\" | tar -tz"));
    assert_eq!(listed.lines().collect::<Vec<_>>(), [".env", "config/", "config/app.toml"]);
}

#[test]
fn the_shell_takes_every_block_of_the_example() {
    let document = written();
    let mut count = 0;
    for block in document.split("```sh\n").skip(1).filter_map(|rest| rest.split("\n```").next()) {
        count += 1;
        let output = Command::new("sh").args(["-n", "-c", block]).output().expect("a shell");
        assert!(output.status.success(), "{block}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(count > 40, "{count}");
}
