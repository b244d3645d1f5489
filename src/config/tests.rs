//! Precedence, and every problem with its text: table-driven, against files in a temporary folder.

use std::collections::HashMap;
use std::ffi::OsString;

use secrecy::ExposeSecret as _;

use super::*;

mod mistakes;

/// A folder with files in it and an environment.
struct World {
    folder: tempfile::TempDir,
    env: HashMap<String, OsString>,
    flags: Overrides,
}

impl World {
    /// With a private password file, a password file that others can read, and a certificate file.
    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap(), env: HashMap::new(), flags: Overrides::default() };
        world
            .write("em.password", "hunter2\n", 0o600)
            .write("open.password", "hunter2\n", 0o644)
            .write("ca.pem", "x", 0o644);
        world
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> &Self {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        let _ = mode;
        self
    }

    fn file(self, text: &str) -> Self {
        self.write(FILE_NAME, text, 0o644);
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.into());
        self
    }

    fn flags(mut self, set: impl FnOnce(&mut Overrides)) -> Self {
        set(&mut self.flags);
        self
    }

    fn try_load(&self, need: Need) -> Result<Settings, Problems> {
        let around = Surroundings {
            env: &|name| self.env.get(name).cloned(),
            cwd: self.folder.path().to_owned(),
            user_folder: Some(self.folder.path().join("user")),
        };
        load(need, &self.flags, &around)
    }

    #[track_caller]
    fn load(&self, need: Need) -> Settings {
        self.try_load(need).unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// The problems as printed, without the folder's changing name. No secret may be in them.
    #[track_caller]
    fn problems(&self, need: Need) -> String {
        let printed = self.try_load(need).expect_err("there should be a problem").to_string();
        assert!(!printed.contains("hunter2"), "{printed}");
        printed.replace(self.folder.path().to_str().unwrap(), "DIR")
    }
}

const EM: &str = "[[enterprise_manager]]
url = 'https://em.example:9398'
username = 'EXAMPLE\\svc'
password_file = 'em.password'
";

/// A file with one good Enterprise Manager and then these lines, the first of which is line 5.
fn with(lines: &str) -> World {
    World::new().file(&format!("{EM}{lines}"))
}

#[test]
fn without_any_setting_the_defaults_hold() {
    let world = World::new();
    let settings = world.load(Need::Database);
    assert_eq!(settings.config_file, None);
    assert_eq!(settings.database.backend, Backend::Sqlite { path: world.folder.path().join("vemsync.db") });
    assert_eq!(settings.sync.kinds.len(), KINDS.len());
    assert_eq!(settings.sync.page_size, 500);
    assert_eq!(settings.sync.backfill, Backfill::For(TimeDelta::days(90)));
    assert_eq!(settings.sync.interval, Duration::from_secs(60));
    assert_eq!(settings.sync.overlap, TimeDelta::hours(2));
    assert_eq!(settings.http.listen.to_string(), "127.0.0.1:9399");
    let log = LogSettings { format: LogFormat::Text, verbosity: Verbosity::Info, directives: None };
    assert_eq!(settings.log, log);
    assert!(!settings.failover.enabled);
}

#[test]
fn a_file_sets_everything() {
    let world = with(
        "name = 'munich'
ca_file = 'ca.pem'
certificate_sha256 = ['00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff']
insecure = true
[enterprise_manager.failover]
username = 'EXAMPLE\\fo'
password_file = 'em.password'
[database]
url = 'postgres://v@db/vemsync'
password_file = 'em.password'
[sync]
kinds = ['restoresession', 'BackupJobSession']
page_size = 10000
backfill = 'ALL'
interval = '5m'
overlap = '0s'
[http]
listen = '[::]:80'
public = true
[log]
format = 'json'
level = 'warn'
[failover]
enabled = true
",
    );
    let settings = world.load(Need::Manager);
    let manager = &settings.managers[0];
    assert_eq!(manager.name, "munich");
    assert_eq!(manager.url.as_str(), "https://em.example:9398/api/");
    assert_eq!(manager.username, "EXAMPLE\\svc");
    assert_eq!(manager.password.expose_secret(), "hunter2");
    assert_eq!(manager.ca_file.as_deref(), Some(world.folder.path().join("ca.pem").as_path()));
    assert_eq!(manager.certificate_sha256[0][..3], [0x00, 0x11, 0x22]);
    assert!(manager.insecure && !manager.allow_plain_http);
    let failover = manager.failover.as_ref().unwrap();
    assert_eq!((failover.username.as_str(), failover.password.expose_secret()), ("EXAMPLE\\fo", "hunter2"));
    assert_eq!(settings.database.url.expose_secret(), "postgres://v:hunter2@db/vemsync");
    assert_eq!(settings.database.display, "postgres://v:***@db/vemsync");
    let kinds: Vec<_> = settings.sync.kinds.iter().map(|kind| kind.name).collect();
    assert_eq!(kinds, ["BackupJobSession", "RestoreSession"]);
    assert_eq!(settings.sync.backfill, Backfill::All);
    assert_eq!(settings.sync.interval, Duration::from_secs(300));
    assert_eq!(settings.sync.overlap, TimeDelta::zero());
    assert_eq!(settings.http.listen.to_string(), "[::]:80");
    assert_eq!((settings.log.format, settings.log.verbosity), (LogFormat::Json, Verbosity::Warn));
    assert!(settings.failover.enabled);
    assert_eq!(settings.config_file, Some(world.folder.path().join(FILE_NAME)));
    assert!(!format!("{settings:?}{settings:#?}").contains("hunter2"));
}

#[test]
fn failover_has_an_account_of_its_own_by_variables_too() {
    let world = with("[failover]\nenabled = false\n")
        .env("VEMSYNC_FAILOVER_ENABLED", "true")
        .env("VEMSYNC_FAILOVER_USERNAME", "fo")
        .env("VEMSYNC_FAILOVER_PASSWORD_FILE", "em.password");
    let settings = world.load(Need::Manager);
    assert!(settings.failover.enabled);
    let own = settings.managers[0].failover.as_ref().unwrap();
    assert_eq!((own.username.as_str(), own.password.expose_secret()), ("fo", "hunter2"));
    let half = with("").env("VEMSYNC_FAILOVER_USERNAME", "fo").try_load(Need::Manager).unwrap_err().to_string();
    assert!(half.contains("half an account for failover actions"), "{half}");
    assert!(with("").load(Need::Manager).managers[0].failover.is_none());
}

#[test]
fn the_environment_beats_the_file_and_a_flag_beats_both() {
    let file = with(
        "certificate_sha256 = 'AA'
[sync]
page_size = 1
interval = '1s'
[database]
url = 'sqlite:file.db'
",
    );
    // One wrong value in the weakest place is reported even where a stronger place overrides it.
    let pin = "b".repeat(64);
    let world = file
        .env("VEMSYNC_PAGE_SIZE", "2")
        .env("VEMSYNC_INTERVAL", "2s")
        .env("VEMSYNC_USERNAME", "env")
        .env("VEMSYNC_URL", "https://env")
        .env("VEMSYNC_PASSWORD", "from env")
        .env("VEMSYNC_CERTIFICATE_SHA256", &format!("{pin},{}", "c".repeat(64)))
        .env("VEMSYNC_INSECURE", "yes")
        .env("VEMSYNC_DATABASE_URL", "sqlite:env.db")
        .flags(|flags| {
            flags.page_size = Some("3".to_owned());
            flags.username = Some("flag".to_owned());
        });
    let problems = world.problems(Need::Manager);
    assert!(problems.starts_with("vemsync.toml:5: the fingerprint has 2 digits"), "{problems}");

    let world = world.file(&format!("{EM}[sync]\npage_size = 1\ninterval = '1s'\n"));
    let settings = world.load(Need::Manager);
    assert_eq!(settings.sync.page_size, 3);
    assert_eq!(settings.sync.interval, Duration::from_secs(2));
    assert_eq!(settings.database.backend, Backend::Sqlite { path: world.folder.path().join("env.db") });
    let manager = &settings.managers[0];
    assert_eq!((manager.username.as_str(), manager.url.as_str()), ("flag", "https://env/api/"));
    assert_eq!(manager.password.expose_secret(), "from env");
    assert_eq!(manager.certificate_sha256, [[0xbb; 32], [0xcc; 32]]);
    assert!(manager.insecure);
}

#[test]
fn flags_alone_describe_an_enterprise_manager_named_default() {
    let world = World::new().flags(|flags| {
        flags.url = Some("https://em.example:9398/api".into());
        flags.username = Some("HOST\\user".to_owned());
        flags.password_file = Some("em.password".to_owned());
        flags.kinds = vec!["RestoreSession".to_owned(), "restoresession".to_owned()];
    });
    let settings = world.env("VEMSYNC_URL", "").load(Need::Manager);
    assert_eq!(settings.managers.len(), 1);
    assert_eq!(settings.managers[0].name, "default");
    assert_eq!(settings.managers[0].password.expose_secret(), "hunter2");
    assert_eq!(settings.sync.kinds.len(), 1);
}

#[test]
fn the_file_is_looked_for_here_then_in_the_users_folder_unless_named() {
    let world = World::new();
    world.write("user/vemsync.toml", "[sync]\npage_size = 7\n", 0o644);
    world.write("else/where.toml", "[sync]\npage_size = 9\n[database]\nurl = 'sqlite:x.db'\n", 0o644);
    let settings = world.load(Need::Database);
    assert_eq!(settings.sync.page_size, 7);
    // The default lies beside the file too, whatever folder a command is called from.
    assert_eq!(settings.database.backend, Backend::Sqlite { path: world.folder.path().join("user/vemsync.db") });
    let world = world.file("[sync]\npage_size = 8\n");
    assert_eq!(world.load(Need::Nothing).sync.page_size, 8);
    let world = world.env("VEMSYNC_CONFIG", "else/where.toml");
    let settings = world.load(Need::Database);
    assert_eq!(settings.sync.page_size, 9);
    assert_eq!(settings.database.backend, Backend::Sqlite { path: world.folder.path().join("else/x.db") });
    let world = world.flags(|flags| flags.config = Some("vemsync.toml".into()));
    assert_eq!(world.load(Need::Nothing).sync.page_size, 8);
}

#[test]
fn logs_follow_the_flag_then_rust_log_then_the_file() {
    let world = World::new().file("[log]\nlevel = 'warn'\n");
    assert_eq!(world.load(Need::Nothing).log.verbosity, Verbosity::Warn);
    let world = world.env("RUST_LOG", "info,vemsync::sync=trace");
    assert_eq!(world.load(Need::Nothing).log.directives.as_deref(), Some("info,vemsync::sync=trace"));
    let world = world.flags(|flags| flags.verbose = 1);
    let log = world.load(Need::Nothing).log;
    assert_eq!((log.verbosity, log.directives), (Verbosity::Debug, None));
    let log = world.flags(|flags| flags.verbose = 2).load(Need::Nothing).log;
    assert_eq!(log.verbosity, Verbosity::Trace);
}

#[test]
fn a_log_filter_that_its_parser_panics_on_is_a_problem() {
    for filter in [" é[", " aé=", "\u{a0}[é", "ünder=trace"] {
        let problems = World::new().env("RUST_LOG", filter).problems(Need::Nothing);
        assert!(problems.contains("RUST_LOG: this is no log filter"), "{problems}");
    }
}

#[test]
fn logs_can_be_set_up_beside_a_file_that_is_wrong() {
    let world = World::new().file("[sync").env("VEMSYNC_LOG_FORMAT", "json").flags(|flags| flags.verbose = 1);
    let around =
        Surroundings { env: &|name| world.env.get(name).cloned(), cwd: world.folder.path().into(), user_folder: None };
    let log = load_log(&world.flags, &around).unwrap();
    assert_eq!((log.format, log.verbosity), (LogFormat::Json, Verbosity::Debug));
}

#[test]
fn a_password_file_flag_beats_every_variable() {
    let world = with("").env("VEMSYNC_PASSWORD", "x").env("VEMSYNC_PASSWORD_FILE", "absent");
    let settings = world.flags(|flags| flags.password_file = Some("em.password".to_owned())).load(Need::Manager);
    assert_eq!(settings.managers[0].password.expose_secret(), "hunter2");
}

#[test]
fn inline_tables_and_dotted_keys_are_the_same_file() {
    let text = "sync.page_size = 7\nenterprise_manager = [{ url = 'https://em.example', username = 'svc', \
                password_file = 'em.password', failover.username = 'fo', failover.password_file = 'em.password' }]\n";
    let settings = World::new().file(text).load(Need::Manager);
    assert_eq!(settings.sync.page_size, 7);
    assert_eq!(settings.managers[0].failover.as_ref().unwrap().username, "fo");
    let text = "enterprise_manager = [\n  { url = 'https://em.example' },\n]\n";
    assert!(
        World::new().file(text).problems(Need::Manager).starts_with("vemsync.toml:2: this Enterprise Manager has no")
    );
}

#[test]
fn several_enterprise_managers_come_from_the_file_alone() {
    let two = format!("{EM}name = 'a'\n{EM}name = 'b'\n");
    let settings = World::new().file(&two).load(Need::Manager);
    let names: Vec<_> = settings.managers.iter().map(|manager| manager.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);

    let world = World::new().file(&two).env("VEMSYNC_PASSWORD", "hunter2").flags(|flags| flags.insecure = true);
    assert_eq!(
        world.problems(Need::Manager),
        "VEMSYNC_PASSWORD: the file has 2 Enterprise Managers, and this does not say which one it is for; \
         set it in the file, below its [[enterprise_manager]]
--insecure: the file has 2 Enterprise Managers, and this does not say which one it is for; \
         set it in the file, below its [[enterprise_manager]]"
    );
    let world = World::new().file(&format!("{EM}name = 'Site'\n{EM}name = 'site'\n{EM}"));
    assert_eq!(
        world.problems(Need::Database),
        "vemsync.toml:10: there is another Enterprise Manager named site; give each its own name
vemsync.toml:11: this Enterprise Manager has no name, and it is not the only one; \
         add a name: rows, marks and metrics stand under it"
    );
}

#[test]
fn only_commands_that_need_an_enterprise_manager_ask_for_one_or_open_its_files() {
    assert_eq!(
        World::new().problems(Need::Manager),
        "settings: no Enterprise Manager is configured; \
         give --url, --username and --password-file, or write a file with `vemsync init`"
    );
    let world = World::new().file("[[enterprise_manager]]\nca_file = 'absent'\npassword_file = 'absent'\n");
    assert!(world.load(Need::Database).managers.is_empty());
    let problems = world.problems(Need::Manager);
    assert_eq!(problems.lines().count(), 4, "{problems}");

    let world = World::new().file("[database]\nurl = 'postgres://v@db/v'\npassword_file = 'absent'\n");
    world.load(Need::Nothing);
    assert!(world.problems(Need::Database).starts_with("vemsync.toml:3: the password file DIR/absent cannot be read"));
}

#[test]
fn a_database_password_stays_with_the_url_beside_it() {
    let file = "[database]\nurl = 'postgres://v@db/v'\npassword_file = 'em.password'\n";
    let url = |world: World| world.load(Need::Database).database.url.expose_secret().to_owned();
    assert_eq!(url(World::new().file(file)), "postgres://v:hunter2@db/v");
    let other = |flags: &mut Overrides| flags.database = Some("postgres://v@other/v".into());
    assert_eq!(url(World::new().file(file).flags(other)), "postgres://v@other/v");
    let lone = "[database]\npassword_file = 'em.password'\n";
    assert_eq!(url(World::new().file(lone).flags(other)), "postgres://v:hunter2@other/v");
}

#[test]
fn addresses_become_the_base_of_all_requests() {
    for (given, base) in [
        ("https://em:9398", "https://em:9398/api/"),
        ("https://em:9398/", "https://em:9398/api/"),
        ("https://em:9398/api", "https://em:9398/api/"),
        (" HTTPS://EM:9398/api/ ", "https://em:9398/api/"),
        ("https://em", "https://em/api/"),
        ("https://[2001:db8::1]:9398", "https://[2001:db8::1]:9398/api/"),
        ("https://proxy.example/em/api/", "https://proxy.example/em/api/"),
    ] {
        assert_eq!(value::manager_url(given).unwrap().as_str(), base, "{given}");
    }
}

#[test]
fn plain_http_is_for_this_machine() {
    for (host, loopback) in [
        ("localhost", true),
        ("em.localhost", true),
        ("127.0.0.1", true),
        ("127.9.9.9", true),
        ("[::1]", true),
        ("[::ffff:127.0.0.1]", true),
        ("localhost.example", false),
        ("127.0.0.1.example", false),
        ("0.0.0.0", false),
        ("10.0.0.1", false),
    ] {
        let url = value::manager_url(&format!("http://{host}:9399")).unwrap();
        assert_eq!(value::is_loopback(&url), loopback, "{host}");
    }
}

#[test]
fn fingerprints_are_read_as_tools_print_them() {
    let plain = "0123456789abcdef".repeat(4);
    let colons: Vec<String> =
        plain.to_uppercase().as_bytes().chunks(2).map(|c| String::from_utf8_lossy(c).into()).collect();
    let expected = value::fingerprint(&plain).unwrap();
    assert_eq!(expected[..2], [0x01, 0x23]);
    for written in [colons.join(":"), format!("sha256 Fingerprint={}", colons.join(":")), colons.join(" ")] {
        assert_eq!(value::fingerprint(&written).unwrap(), expected);
    }
    assert!(value::fingerprint(&"a".repeat(40)).unwrap_err().0.contains("SHA-1"));
    assert!(value::fingerprint(&"g".repeat(64)).is_err());
    assert!(value::fingerprint(&"é".repeat(64)).is_err());
}

proptest::proptest! {
    /// A file that someone else's tool wrote is at worst a list of problems.
    #[test]
    fn no_text_makes_the_parser_panic(text in "([\\[\\]\\.=\"'{},#\\\\\n\\- ]|sync|database|enterprise_manager|failover|url|kinds|[0-9a-zü\u{0}])*") {
        let mut problems = Problems::default();
        let file = file::parse(&text, FILE_NAME, PathBuf::new(), &mut problems);
        proptest::prop_assert!(file.is_some() || problems.unless_any(()).is_err());
    }
}
