#!/usr/bin/env python3
"""Moves of a made-up VM over TLS: by keys that two hosts trust, by an authority, and all that is refused.

    test-tls.py [UNITTEST ARGUMENTS]       $XMIG, else build/release/xmig
"""

import base64
import contextlib
import glob
import json
import os
import re
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

from authority import Authority, Listener, openssl

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
XMIG = os.path.realpath(os.environ.get("XMIG", os.path.join(ROOT, "build/release/xmig")))
VM = "demo,disk-size=64K,ram=64K"


class Host:
    def __init__(self, folder, name):
        self.folder = os.path.join(folder, name)
        os.mkdir(self.folder)
        self.environment = {**{name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
                            "XMIG_CONFIG_DIR": os.path.join(self.folder, "config"),
                            "XMIG_STATE_DIR": os.path.join(self.folder, "state"),
                            "XMIG_RUNTIME_DIR": os.path.join(self.folder, "run"), "LC_ALL": "C"}

    def run(self, *words):
        done = subprocess.run([XMIG, *words], env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=120, check=False)
        done.said = re.sub(r"\n +", " ", done.stderr)
        return done

    def fingerprint(self):
        return json.loads(self.run("keys", "show", "--json").stdout.splitlines()[0])["fingerprint"]

    def send(self, dest, *options):
        return self.run("send", "--simulate", VM, dest, *options)

    def ids(self):
        state = os.path.join(self.folder, "state")
        return os.listdir(state) if os.path.isdir(state) else []


class Tls(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="xmig-tls-")
        self.source, self.target = Host(self.folder, "source"), Host(self.folder, "target")
        self.listener = None
        self.addCleanup(self.clean)
        self.permit("default")

    def permit(self, *senders):
        """The policy that the target has of them, and of nobody else."""
        folder = os.path.join(self.target.folder, "config")
        os.makedirs(folder, mode=0o755, exist_ok=True)
        with open(os.path.join(folder, "recv.conf"), "w", encoding="ascii") as file:
            for sender in senders:
                file.write(f"[{sender}]\nvms = *\nhypervisors = simulated\nimage-directories = /simulated\nfaults = yes\n")

    def clean(self):
        if self.listener:
            self.listener.process.kill()
            self.listener.process.wait()
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def processes(self):
        """A receiver that was left alone keeps its promise for minutes; it is known by its environment."""
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as file:
                    if self.folder.encode() in file.read() and int(pid) != os.getpid():
                        yield int(pid)
            except OSError:
                pass

    def listen(self, *options, **more):
        if self.listener:
            self.listener.end()
        self.listener = Listener(XMIG, self.target.environment, os.path.join(self.folder, "listen.log"), *options,
                                 **more)
        return f"tls://localhost:{self.listener.port}"

    def trust_each_other(self):
        for host in self.source, self.target:
            self.assertEqual(host.run("keys", "init").returncode, 0)
        self.source.run("keys", "trust", self.target.fingerprint(), "localhost")
        self.target.run("keys", "trust", self.source.fingerprint(), "source")

    def put_state_aside(self):
        """Not removed: the receiver may still write there as it ends."""
        state = os.path.join(self.target.folder, "state")
        os.rename(state, tempfile.mkdtemp(dir=self.target.folder))

    def assert_moved(self, done):
        self.assertEqual(done.returncode, 0, done.stderr + self.listener.text())

    def assert_refused(self, done, status, source_says, listener_says=None):
        self.assertEqual(done.returncode, status, done.stderr + self.listener.text())
        self.assertRegex(done.said, source_says)
        if listener_says:
            self.listener.wait_for(listener_says)
        self.assertEqual(self.target.ids(), [])


class Keys(Tls):
    def test_two_hosts_are_ready_with_four_commands(self):
        self.trust_each_other()
        self.assert_moved(self.source.send(self.listen()))
        self.listener.wait_for("127.0.0.1, migration [0-9a-f]{16}: begins")
        self.listener.wait_for("127.0.0.1, migration [0-9a-f]{16}: ends")

    def test_the_policy_knows_a_sender_by_name_and_by_key(self):
        self.trust_each_other()
        key = base64.b64decode(self.source.fingerprint().removeprefix("sha256//"))
        dest = self.listen()
        for name in "source", "sha256:" + key.hex():
            self.permit(name)
            self.assert_moved(self.source.send(dest))
            self.put_state_aside()
        self.permit("somebody-else")
        self.assert_refused(self.source.send(dest), 3, "policy .*nothing is permitted")

    def test_a_dry_run_shows_all_that_the_policy_refuses(self):
        self.trust_each_other()
        with open(os.path.join(self.target.folder, "config/recv.conf"), "w", encoding="ascii") as file:
            file.write("[source]\nmax-memory = 1K\nmax-disk = 1K\nmax-lease = 1s\nmax-migrations = 0\n")
        dest = self.listen()
        done = self.source.send(dest, "--dry-run", "--fault", "params-copy:end:recv:fail")
        self.assert_refused(done, 3, "nothing was touched")
        for key in ("vms", "hypervisors", "max-memory", "image-directories", "max-disk", "max-lease", "faults",
                    "max-migrations"):
            self.assertRegex(done.said, f"on {dest}: the policy does not permit 'source' .*: {key} is")
        done = self.source.send(dest, "-n", "--json")
        texts = [each["text"] for each in json.loads(done.stdout.splitlines()[-1])["refusals"] if each["side"] == "recv"]
        self.assertGreaterEqual(len(texts), 7, texts)
        self.permit("source")
        done = self.source.send(dest, "--dry-run")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.target.ids(), [])

    def test_a_key_is_made_once_and_is_private(self):
        self.assertEqual(self.source.run("keys", "init").returncode, 0)
        first = self.source.fingerprint()
        again = self.source.run("keys", "init")
        self.assertIn("was there already", again.stdout)
        self.assertEqual(self.source.fingerprint(), first)
        keys = os.path.join(self.source.folder, "config/keys")
        self.assertEqual([os.stat(path).st_mode & 0o777 for path in (keys, keys + "/key.pem")], [0o700, 0o600])

    def test_the_fingerprint_is_the_one_that_curl_and_openssl_have(self):
        self.source.run("keys", "init")
        certificate = os.path.join(self.source.folder, "config/keys/cert.pem")
        key = subprocess.run(f"openssl x509 -in {certificate} -pubkey -noout | openssl pkey -pubin -outform DER | "
                             "openssl dgst -sha256 -binary | openssl base64", shell=True, check=True,
                             stdout=subprocess.PIPE, text=True).stdout.strip()
        self.assertEqual(self.source.fingerprint(), "sha256//" + key)

    def test_nobody_comes_without_a_key(self):
        self.target.run("keys", "init")
        dest = self.listen()
        self.assert_refused(self.source.send(dest), 3, "has no key for TLS in '.*': run 'xmig keys init'")
        self.assertEqual(self.source.ids(), [])

    def test_a_key_that_others_can_read_is_refused(self):
        self.trust_each_other()
        os.chmod(os.path.join(self.source.folder, "config/keys/key.pem"), 0o644)
        self.assert_refused(self.source.send(self.listen()), 3, "others may read '.*key.pem' .*chmod 600")

    def test_a_listener_that_is_not_trusted_is_named_with_the_cure(self):
        self.source.run("keys", "init")
        self.target.run("keys", "init")
        dest = self.listen()
        fingerprint = re.escape(self.target.fingerprint())
        self.source.run("keys", "trust", self.source.fingerprint())
        self.assert_refused(self.source.send(dest), 3,
                            f"run 'xmig keys trust {fingerprint} localhost' here",
                            "127.0.0.1: it does not trust this host's certificate")

    def test_a_sender_that_is_not_trusted_is_named_with_the_cure(self):
        self.trust_each_other()
        os.remove(os.path.join(self.target.folder, "config/keys/trusted"))
        fingerprint = re.escape(self.source.fingerprint())
        self.assert_refused(self.source.send(self.listen()), 3,
                            f"does not trust this host's key: run 'xmig keys trust {fingerprint}' there",
                            "127.0.0.1: its certificate is signed by no authority .*; if 'xmig keys show' prints "
                            f"{fingerprint} there, run 'xmig keys trust {fingerprint}' here")

    def test_a_key_with_another_hosts_name_opens_nothing_here(self):
        self.trust_each_other()
        other = Host(self.folder, "other")
        other.run("keys", "init")
        self.source.run("keys", "trust", other.fingerprint(), "localhost")
        self.source.run("keys", "trust", self.target.fingerprint(), "elsewhere")
        self.assert_refused(self.source.send(self.listen()), 3,
                            "the key of localhost:.* is not the one that is trusted here under that name, but "
                            + re.escape(self.target.fingerprint()) + ": somebody is in between, or that host has a new key")

    def test_trust_that_is_withdrawn_counts_at_once(self):
        self.trust_each_other()
        dest = self.listen()
        self.assert_moved(self.source.send(dest))
        os.remove(os.path.join(self.target.folder, "config/keys/trusted"))
        self.assertEqual(self.source.send(dest).returncode, 3)

    def test_a_file_that_makes_no_sense_lets_nobody_in_and_the_next_good_one_is_taken(self):
        self.trust_each_other()
        dest = self.listen()
        config = os.path.join(self.target.folder, "config")
        for name, source_says, listener_says in (
                ("keys/trusted", ".", "nobody is let in, for the files have changed: '.*trusted', line 1: 'nonsense"),
                ("keys/cert.pem", ".", "nobody is let in, .*cannot use '.*cert.pem' as a certificate"),
                ("keys/key.pem", ".", "nobody is let in, .*cannot use '.*key.pem' as its key"),
                ("recv.conf", "recv.conf", "migration [0-9a-f]{16}: .*recv.conf")):
            with self.subTest(name):
                path = os.path.join(config, name)
                os.rename(path, path + ".good")
                with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
                    file.write("nonsense\n")
                done = self.source.send(dest)
                self.assertIn(done.returncode, (1, 3), done.stderr)
                self.assertRegex(done.said, source_says)
                self.listener.wait_for(listener_says)
                os.rename(path + ".good", path)
                self.assert_moved(self.source.send(dest))
                self.put_state_aside()

    def test_a_file_of_trust_that_cannot_be_read_lets_nobody_in(self):
        self.trust_each_other()
        dest = self.listen()
        trusted = os.path.join(self.target.folder, "config/keys/trusted")
        os.rename(trusted, trusted + ".good")
        os.mkdir(trusted)
        self.assertIn(self.source.send(dest).returncode, (1, 3))
        self.listener.wait_for("nobody is let in, for the files have changed: cannot read '.*trusted': Is a directory")

    def test_a_line_that_makes_no_sense_is_named(self):
        self.trust_each_other()
        with open(os.path.join(self.source.folder, "config/keys/trusted"), "a", encoding="ascii") as file:
            file.write("sha256//nonsense\n")
        self.assert_refused(self.source.send(self.listen()), 3, "trusted', line 3: 'sha256//nonsense' is no fingerprint")


class PkiScene(Tls):
    """An authority in the middle of the chain on both sides."""

    def setUp(self):
        super().setUp()
        self.root = Authority(self.folder, "root")
        self.middle = Authority(self.folder, "middle", self.root)
        self.theirs = self.chain("localhost")
        self.ours = self.chain("alpha.example")

    def chain(self, name, **how):
        both = self.middle.issue(name, **how)
        with open(both, "a", encoding="ascii") as out, open(self.middle.certificate, encoding="ascii") as middle:
            out.write(middle.read())
        return both

    def lists(self):
        path = os.path.join(self.folder, "crl.pem")
        with open(path, "w", encoding="ascii") as out:
            for authority in self.root, self.middle:
                with open(authority.revoked(), encoding="ascii") as text:
                    out.write(text.read())
        return path

    def listen_with(self, cert, *options):
        return self.listen("--cacert", self.root.certificate, "--cert", cert, *options)

    def send_with(self, dest, cert, *options):
        return self.source.send(dest, "--cacert", self.root.certificate, "--cert", cert, *options)


class Pki(PkiScene):
    def test_moves_by_an_authority_with_intermediates_and_lists(self):
        lists = self.lists()
        dest = self.listen_with(self.theirs, "--crlfile", lists)
        self.assert_moved(self.send_with(dest, self.ours, "--crlfile", lists))

    def test_a_listener_that_has_expired(self):
        dest = self.listen_with(self.chain("localhost", start=-3, end=-1))
        self.assert_refused(self.send_with(dest, self.ours), 3,
                            "the certificate of localhost:.* has expired: it must be renewed there",
                            "127.0.0.1: it takes this host's certificate for one that has expired")

    def test_a_listener_that_is_not_valid_yet(self):
        dest = self.listen_with(self.chain("localhost", start=2))
        self.assert_refused(self.send_with(dest, self.ours), 3,
                            "the certificate of localhost:.* is not valid yet: compare the clocks",
                            "127.0.0.1: it does not take this host's certificate")

    def test_a_listener_that_is_revoked(self):
        self.middle.revoke(self.theirs)
        dest = self.listen_with(self.theirs)
        self.assert_refused(self.send_with(dest, self.ours, "--crlfile", self.lists()), 3,
                            "the certificate of localhost:.* has been revoked: that host needs a new one",
                            "127.0.0.1: it takes this host's certificate for one that has been revoked")

    def test_a_listener_of_another_name(self):
        dest = self.listen_with(self.chain("elsewhere.example"))
        self.assert_refused(self.send_with(dest, self.ours), 3,
                            "the certificate of localhost:.* is another host's .*--resolve",
                            "alpha.example: .* before its first word; if it does not take this host's name or key")

    def test_a_listener_of_another_authority(self):
        other = Authority(self.folder, "other")
        dest = self.listen_with(other.issue("localhost"))
        self.assert_refused(self.send_with(dest, self.ours), 3,
                            "no authority in '.*ca.pem' \\(--cacert\\) vouches for the certificate of localhost:.* leave --cacert",
                            "127.0.0.1: it does not trust this host's certificate: run 'xmig keys trust sha256//")
        pin = "sha256//" + 43 * "A" + "="
        self.assert_refused(self.source.send(dest, "--cert", self.ours, "--pinnedpubkey", pin), 3,
                            "no authority of this host's vouches for .* --pinnedpubkey is looked at besides")

    def test_a_listener_with_another_key_than_the_pinned_one(self):
        dest = self.listen_with(self.theirs)
        self.assert_refused(self.send_with(dest, self.ours, "--pinnedpubkey", "sha256//" + 43 * "A" + "="), 3,
                            "the key of localhost:.* is not the one that --pinnedpubkey names, but sha256//",
                            "alpha.example: .* before its first word; if it does not take this host's name or key")

    def test_a_file_that_is_not_there_is_named_before_anything_is_asked(self):
        dest = self.listen_with(self.theirs)
        for option in "--cert", "--key", "--cacert", "--crlfile", "--pinnedpubkey":
            done = self.source.send(dest, *(("--cert", self.ours) if option == "--key" else ()), option, "/none.pem")
            self.assert_refused(done, 3, f"cannot read '/none.pem' \\({option}\\): No such file")
        self.assertNotIn("127.0.0.1: ", self.listener.text())

    def test_the_pinned_key_is_the_right_one(self):
        dest = self.listen_with(self.theirs)
        key = subprocess.run(f"openssl x509 -in {self.theirs} -pubkey -noout", shell=True, check=True,
                             stdout=subprocess.PIPE, text=True).stdout
        with open(os.path.join(self.folder, "pin.pem"), "w", encoding="ascii") as file:
            file.write(key)
        self.assert_moved(self.send_with(dest, self.ours, "--pinnedpubkey", os.path.join(self.folder, "pin.pem")))

    def test_a_sender_that_has_expired(self):
        dest = self.listen_with(self.theirs)
        self.assert_refused(self.send_with(dest, self.chain("alpha.example", start=-3, end=-1)), 3,
                            "localhost:.* refuses: this host's certificate '.*' has expired: renew it",
                            "127.0.0.1: its certificate has expired")

    def test_a_sender_that_is_not_valid_yet(self):
        dest = self.listen_with(self.theirs)
        self.assert_refused(self.send_with(dest, self.chain("alpha.example", start=2)), 3,
                            "localhost:.* refuses: this host's certificate '.*' is not valid for it: perhaps not yet",
                            "127.0.0.1: its certificate is not valid yet")

    def test_a_sender_that_is_revoked_while_the_listener_runs(self):
        dest = self.listen_with(self.theirs, "--crlfile", self.lists())
        self.assert_moved(self.send_with(dest, self.ours))
        self.put_state_aside()
        self.middle.revoke(self.ours)
        self.lists()
        self.assert_refused(self.send_with(dest, self.ours), 3,
                            "localhost:.* refuses: this host's certificate '.*' has been revoked",
                            "127.0.0.1: its certificate has been revoked")

    def test_a_sender_of_another_authority(self):
        dest = self.listen_with(self.theirs)
        other = Authority(self.folder, "other")
        self.assert_refused(self.send_with(dest, other.issue("alpha.example")), 3,
                            "localhost:.* does not trust this host's key",
                            "127.0.0.1: its certificate is signed by no authority that is trusted here")

    def test_a_senders_certificate_for_another_purpose(self):
        dest = self.listen_with(self.theirs)
        self.assert_refused(self.send_with(dest, self.chain("alpha.example", usage="serverAuth")), 3,
                            "localhost:.* refuses: this host's certificate '.*' is made for another purpose",
                            "127.0.0.1: its certificate is made for another purpose")

    def test_a_sender_without_a_certificate(self):
        self.listen_with(self.theirs)
        context = ssl.create_default_context(cafile=self.root.certificate)
        with self.assertRaisesRegex(ssl.SSLError, "CERTIFICATE_REQUIRED"), \
                socket.create_connection(("127.0.0.1", self.listener.port)) as raw, \
                context.wrap_socket(raw, server_hostname="localhost") as tls:
            tls.recv(1)
        self.listener.wait_for("127.0.0.1: it has shown no certificate")

    def test_a_sender_that_speaks_tls_1_2(self):
        self.listen_with(self.theirs)
        context = ssl.create_default_context(cafile=self.root.certificate)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with self.assertRaises(ssl.SSLError), socket.create_connection(("127.0.0.1", self.listener.port)) as raw:
            context.wrap_socket(raw, server_hostname="localhost")
        self.listener.wait_for("127.0.0.1: it does not speak TLS 1.3")

    def serve_once(self, serve):
        """Something else listens; its port."""
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)

        def run():
            try:
                with listener.accept()[0] as connection:
                    serve(connection)
            except OSError:
                pass
        threading.Thread(target=run, daemon=True).start()
        return listener.getsockname()[1]

    def test_what_speaks_tls_1_2_is_no_listener(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.theirs)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        port = self.serve_once(lambda connection: context.wrap_socket(connection, server_side=True))
        done = self.send_with(f"tls://localhost:{port}", self.ours)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertRegex(done.said, f"localhost:{port} does not speak TLS 1.3, which xmig needs")

    def test_what_speaks_no_tls_is_no_listener(self):
        port = self.serve_once(lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n"))
        done = self.send_with(f"tls://localhost:{port}", self.ours)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertRegex(done.said, f"localhost:{port} does not speak TLS: is that the port of 'xmig listen'")

    def test_what_ends_in_the_handshake_has_shown_no_certificate(self):
        for serve in (lambda connection: None, lambda connection: connection.sendall(b"\x15\x03\x03\x00\x02\x02\x28")):
            port = self.serve_once(serve)
            done = self.send_with(f"tls://localhost:{port}", self.ours)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertRegex(done.said, f"the TLS handshake with localhost:{port} failed")

    def test_where_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        done = self.send_with(f"tls://localhost:{port}", self.ours)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.said, f"cannot connect to localhost:{port}: Connection refused; 'xmig listen' must run")


class Recovery(PkiScene):
    """recover is told nothing of the way again: it stands elsewhere, and has another environment."""

    def recover(self, *options):
        return self.source.run("recover", self.source.ids()[0], *options)

    def crash(self, dest, *options):
        self.source.environment["https_proxy"] = "http://127.0.0.1:1"
        here = os.getcwd()
        os.chdir(os.path.dirname(self.ours))
        try:
            done = self.send_with(dest, os.path.basename(self.ours), "--noproxy", "localhost", "--fault",
                                  "COMMIT:after:send:crash", *options)
        finally:
            os.chdir(here)
        del self.source.environment["https_proxy"]
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(len(self.source.ids()), 1, done.stderr)

    def test_recover_goes_the_same_way(self):
        self.crash(self.listen_with(self.theirs))
        done = self.recover()
        self.assertEqual(done.returncode, 0, done.stderr + self.listener.text())

    def test_the_journal_has_the_way_as_options_and_tells_nobody_its_password(self):
        self.crash(self.listen_with(self.theirs), "--proxy", "http://me:hush@127.0.0.1:1", "--connect-timeout", "2.5")
        with open(os.path.join(self.source.folder, "state", self.source.ids()[0], "send.journal"), encoding="utf-8") as file:
            begin = json.loads(file.readline().split(" ", 1)[1])
        self.assertNotIn("rsh", begin)
        self.assertEqual((begin["tls"]["cert"], begin["tls"]["proxy"], begin["tls"]["connect_timeout_ms"]),
                         (self.ours, "http://me:hush@127.0.0.1:1", 2500))
        for form in [], ["--json"]:
            shown = self.recover("-v", *form)
            self.assertIn("127.0.0.1:1", shown.stdout + shown.stderr)
            self.assertNotIn("hush", shown.stdout + shown.stderr)

    def test_at_boot_everything_is_settled_the_same_way(self):
        self.crash(self.listen_with(self.theirs), "--no-guardian")
        self.assertRegex(self.source.run("list").stdout, f"to tls://localhost:{self.listener.port}")
        done = self.source.run("recover", "--all")
        self.assertEqual(done.returncode, 0, done.stderr + self.listener.text())
        self.assertNotIn("demo", self.source.run("list").stdout)

    def test_recover_is_told_what_has_changed(self):
        self.crash(self.listen_with(self.theirs))
        os.rename(self.ours, self.ours + ".moved")
        done = self.recover("--cert", self.ours + ".moved")
        self.assertEqual(done.returncode, 0, done.stderr + self.listener.text())

    def test_a_target_that_waits_alone_is_heard_of_by_another_listener(self):
        """Its receiver is alive, and has lost the sender and the listener that started it."""
        self.crash(self.listen_with(self.theirs))
        port = self.listener.port
        self.listener.process.kill()
        self.listener.process.wait()
        self.listener = Listener(XMIG, self.target.environment, os.path.join(self.folder, "listen.log"), "--cacert",
                                 self.root.certificate, "--cert", self.theirs, port=port)
        done = self.recover()
        self.assertEqual(done.returncode, 0, done.stderr + self.listener.text())

    def test_the_targets_list_says_where_the_vm_comes_from(self):
        self.crash(self.listen_with(self.theirs))
        self.assertRegex(self.target.run("list").stdout, re.escape(socket.gethostname()) + r" \(127\.0\.0\.1\)")


class Activated(Listener):
    """Whoever has the socket starts `xmig listen` when the first connection comes, as systemd does."""

    def __init__(self, program, environment, log):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.log = log
        names = [f"--setenv={name}={value}" for name, value in environment.items() if name.startswith("XMIG_")]
        with open(log, "w", encoding="utf-8") as errors:
            self.process = subprocess.Popen(["systemd-socket-activate", f"--listen=127.0.0.1:{self.port}", *names, program,
                                             "listen"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                            stderr=errors)
        self.wait_for("Listening on")


class Systemd(Tls):
    UNITS = os.path.join(ROOT, "packaging/systemd")

    def test_it_understands_every_word_of_the_units(self):
        for name in os.listdir(self.UNITS):
            with open(os.path.join(self.UNITS, name), encoding="ascii") as unit, \
                    open(os.path.join(self.folder, name), "w", encoding="ascii") as copy:
                copy.write(unit.read().replace("ExecStart=xmig ", f"ExecStart={XMIG} "))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no",
                               *(os.path.join(self.folder, name) for name in os.listdir(self.UNITS))],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_it_gives_the_listener_its_socket(self):
        self.trust_each_other()
        self.listener = Activated(XMIG, self.target.environment, os.path.join(self.folder, "listen.log"))
        for _ in range(2):
            self.assert_moved(self.source.send(f"tls://localhost:{self.listener.port}"))
            self.put_state_aside()
        self.listener.wait_for("listening at the service manager's sockets")
        self.assertEqual(self.listener.end(), 0)


class Limits(Tls):
    """What strangers can do to a listener, and to those whom it knows."""

    FLOOD = 10000
    STRANGER = "127.0.0.2"

    def setUp(self):
        super().setUp()
        self.trust_each_other()
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    def flood(self, words, connections):
        """Those whom the listener has closed are let go of now and then."""
        for number in range(self.FLOOD):
            connection = socket.socket()
            connection.setblocking(False)
            connection.bind((self.STRANGER, 0))
            connection.connect_ex(("127.0.0.1", self.listener.port))
            connections.append((connection, words[number % len(words)]))
            if number % 500 == 499:
                self.speak(connections)

    @staticmethod
    def speak(connections):
        kept = []
        for connection, word in connections:
            try:
                if word:
                    connection.send(word)
                connection.recv(4096)
            except BlockingIOError:
                kept.append((connection, b""))
            except OSError:
                connection.close()
            else:
                connection.close()
        connections[:] = kept

    def memory(self):
        """Of the listener and its children, in MiB: what they share counts once."""
        total, pids = 0, [self.listener.process.pid]
        pids += map(int, subprocess.run(["pgrep", "-P", str(pids[0])], stdout=subprocess.PIPE, text=True,
                                        check=False).stdout.split())
        for pid in pids:
            try:
                with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                    total += int(re.search(r"^Pss: +(\d+) kB", file.read(), re.M)[1])
            except (OSError, TypeError):
                pass
        return total / 1024

    def is_instrumented(self):
        with open(f"/proc/{self.listener.process.pid}/maps", encoding="ascii") as file:
            return "libasan" in file.read()

    def test_at_a_flood_the_listener_stays_small_and_serves_whom_it_knows(self):
        dest = self.listen()
        self.assert_moved(self.source.send(dest))
        limit = 64 * (8 if self.is_instrumented() else 1)
        connections, most, moved = [], [], []
        context = ssl.create_default_context()
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        try:
            context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
        except ssl.SSLWantReadError:
            pass
        words = [b"", b"GET / HTTP/1.1\r\n\r\n", outgoing.read()]
        flood = threading.Thread(target=self.flood, args=(words, connections))
        flood.start()
        while flood.is_alive():
            moved.append(self.source.send(dest))
            most.append(self.memory())
            flood.join(0.2)
        most.append(self.memory())
        for connection, _ in connections:
            connection.close()
        for done in moved:
            self.assert_moved(done)
        self.assertLess(max(most), limit)
        if os.environ.get("XMIG_TEST_TELL"):
            print(f"at most {max(most):.1f} MiB, {len(moved)} moves meanwhile")

    def test_who_says_nothing_is_sent_away(self):
        self.listen()
        with socket.create_connection(("127.0.0.1", self.listener.port)) as silent:
            silent.settimeout(30)
            self.assertEqual(silent.recv(1), b"")

    def test_who_stops_in_the_handshake_is_sent_away(self):
        self.listen()
        with socket.create_connection(("127.0.0.1", self.listener.port)) as slow:
            slow.settimeout(30)
            slow.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
            self.assertEqual(slow.recv(1), b"")
        self.listener.wait_for("127.0.0.1: it did not finish the handshake")

    def test_who_says_too_much_before_a_handshake_or_after_it_is_sent_away(self):
        """Before it not even a record's length; after it 8 KiB of first words."""
        self.listen()
        with socket.create_connection(("127.0.0.1", self.listener.port)) as stranger:
            stranger.settimeout(30)
            stranger.sendall(b"\x16\x03\x01\x40\x00\x01\x00\xff\xff" + 16384 * b"x")
            while stranger.recv(4096):
                pass
        keys = os.path.join(self.source.folder, "config/keys/")
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.load_cert_chain(keys + "cert.pem", keys + "key.pem")
        with socket.create_connection(("127.0.0.1", self.listener.port)) as raw, context.wrap_socket(raw) as tls:
            tls.settimeout(30)
            tls.sendall((8193).to_bytes(4, "big") + 8193 * b"x")
            self.assertEqual(tls.recv(4096), b"")
        self.listener.wait_for("source: the first frame has 8193 bytes")

    def test_what_is_killed_leaves_a_line_with_the_migrations_id(self):
        dest = self.listen()
        sender = subprocess.Popen([XMIG, "send", "--simulate", VM, dest, "--fault", "drive-mirror:end:send:stop"],
                                  env=self.source.environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(sender.wait)
        self.addCleanup(sender.kill)
        identity = self.listener.wait_for("migration ([0-9a-f]{16}): begins")[1]
        receiver = self.receiver()
        limit = time.monotonic() + 30
        while not glob.glob(os.path.join(self.target.folder, "state/*/recv.journal")):
            self.assertLess(time.monotonic(), limit)
        os.kill(receiver, signal.SIGKILL)
        self.listener.wait_for(f"migration {identity}: xmig recv \\(process {receiver}\\) was killed by signal 9")

    def receiver(self):
        """The process of the only `xmig recv`."""
        for pid in self.processes():
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                if file.read().startswith(b"xmig\0recv\0"):
                    return pid
        raise AssertionError("there is no xmig recv")

    def test_no_more_migrations_than_are_permitted(self):
        for option, says in (("--max-per-peer", "of this host as --max-per-peer"), ("--max-migrations", "as --max-migrations")):
            with self.subTest(option):
                self.refuses_a_second(self.listen(option, "1"), f"as many migrations {says} permits there \\(1\\) are under way")

    def refuses_a_second(self, dest, says):
        first = subprocess.Popen([XMIG, "send", "--simulate", VM, dest, "--fault", "drive-mirror:end:send:stop"],
                                 env=self.source.environment, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.listener.wait_for("begins")
        second = self.source.send(dest)
        self.assertEqual(second.returncode, 1, second.stderr)
        self.assertRegex(second.said, says)
        first.kill()
        first.wait()


class Ways(Tls):
    """Proxies, and how an address is found and left."""

    def setUp(self):
        super().setUp()
        self.trust_each_other()
        self.used = []  # what proxies were asked for

    def proxy(self, greet, address="127.0.0.1"):
        """A proxy whose clients `greet` leads to an address, or to None: they are sent away."""
        listener = socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
        self.addCleanup(listener.close)

        def pump(one, other):
            try:
                while data := one.recv(65536):
                    other.sendall(data)
                other.shutdown(socket.SHUT_WR)
            except OSError:
                pass

        def serve(client):
            with client:
                place = greet(client)
                self.used.append(place)
                if place:
                    with socket.create_connection(("::1" if ":" in place[0] else "127.0.0.1", place[1])) as server:
                        back = threading.Thread(target=pump, args=(server, client), daemon=True)
                        back.start()
                        pump(client, server)
                        back.join()

        def run():
            try:
                while True:
                    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
            except OSError:
                pass
        threading.Thread(target=run, daemon=True).start()
        return f"{f'[{address}]' if ':' in address else address}:{listener.getsockname()[1]}"

    @staticmethod
    def http(answer=b"200 OK", needs=None):
        def greet(client):
            text = b""
            while b"\r\n\r\n" not in text:
                text += client.recv(4096)
            host, port = re.match(rb"CONNECT (\S+):(\d+) HTTP", text).groups()
            said = answer if not needs or needs in text else b"407 Proxy Authentication Required"
            extra = b"Proxy-Authenticate: Basic realm=\"x\"\r\n" if said.startswith(b"407") else b""
            client.sendall(b"HTTP/1.1 " + said + b"\r\n" + extra + b"Content-Length: 0\r\n\r\n"
                           if not said.startswith(b"200") else b"HTTP/1.1 200 OK\r\n\r\n")
            return (host.decode(), int(port)) if said.startswith(b"200") else None
        return greet

    @staticmethod
    def socks5(user=None, password=None, answer=0):
        """RFC 1928; by user and password RFC 1929, if there are any."""
        def exactly(client, count):
            data = b""
            while len(data) < count:
                more = client.recv(count - len(data))
                if not more:
                    raise OSError("the client has gone")
                data += more
            return data

        def text(client):
            return exactly(client, exactly(client, 1)[0]).decode()

        def is_let_in(client):
            methods = exactly(client, exactly(client, 2)[1])
            method = 2 if user else 0
            client.sendall(bytes([5, method if method in methods else 0xff]))
            if method not in methods or not user:
                return method in methods
            exactly(client, 1)
            known = (text(client), text(client)) == (user, password)
            client.sendall(bytes([1, not known]))
            return known

        def greet(client):
            if not is_let_in(client):
                return None
            kind = exactly(client, 4)[3]
            host = text(client) if kind == 3 else socket.inet_ntop(*(
                (socket.AF_INET, exactly(client, 4)) if kind == 1 else (socket.AF_INET6, exactly(client, 16))))
            port = int.from_bytes(exactly(client, 2), "big")
            client.sendall(bytes([5, answer, 0, 1]) + bytes(6))
            return None if answer else (host, port)
        return greet

    @staticmethod
    def socks4a(client):
        port = int.from_bytes(client.recv(4)[2:], "big")
        text = client.recv(4)
        while text.count(b"\0") < 3 + 2:  # three of an address that is none; the user's end, the name's end
            text += client.recv(4096)
        client.sendall(b"\0\x5a" + 6 * b"\0")
        return text[4:].split(b"\0")[1].decode(), port

    def test_an_http_proxy_is_asked_by_connect(self):
        dest = self.listen()
        self.assert_moved(self.source.send(dest, "--proxy", "http://" + self.proxy(self.http())))
        self.assertEqual(set(self.used), {("localhost", self.listener.port)})
        self.assertGreater(len(self.used), 2)  # each lane goes that way

    def test_a_proxys_password_is_said_to_it_and_to_nobody_else(self):
        dest = self.listen()
        proxy = self.proxy(self.http(needs=b"Proxy-Authorization: Basic bWU6c2VjcmV0"))
        done = self.source.send(dest, "--proxy", f"http://me:secret@{proxy}")
        self.assert_moved(done)
        done = self.source.send(dest, "--proxy", f"http://me:wrong-word@{proxy}", "--json")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertRegex(done.said, f"the proxy '{proxy}' does not take the user and the password")
        self.assertNotIn("wrong-word", done.stdout + done.stderr)
        self.assert_refused_late(self.source.send(dest, "--proxy", proxy),
                                 f"the proxy '{proxy}' wants a user and a password: in --proxy put 'USER:PASSWORD@'")

    def test_a_proxy_that_refuses_is_named(self):
        dest = self.listen()
        proxy = self.proxy(self.http(b"403 Forbidden"))
        self.assert_refused(self.source.send(dest, "--proxy", "http://" + proxy), 3,
                            f"the proxy '{proxy}' does not lead to localhost:.*403")

    def test_a_proxy_that_is_not_there_is_named(self):
        dest = self.listen()
        self.assert_refused(self.source.send(dest, "--proxy", "http://127.0.0.1:1"), 1,
                            "through the proxy '127.0.0.1:1'")

    def test_a_socks_proxy_is_asked_for_an_address_or_for_a_name(self):
        dest = self.listen()
        proxy = self.proxy(self.socks5())
        self.assert_moved(self.source.send(dest, "-4", "-x", "socks5://" + proxy))
        self.assertEqual(set(self.used), {("127.0.0.1", self.listener.port)})
        self.used.clear()
        self.assert_moved(self.source.send(dest, "-x", "socks5h://" + proxy))
        self.assertEqual(set(self.used), {("localhost", self.listener.port)})

    def test_a_socks_proxy_is_asked_for_an_address_of_ipv6(self):
        self.listen(address="[::1]")
        port = self.listener.port
        way = (f"tls://beta.example:{port}", "--resolve", f"beta.example:{port}:[::1]", "-6", "-x")
        self.assert_moved(self.source.send(*way, "socks5://" + self.proxy(self.socks5(), "::1")))
        self.assertEqual(set(self.used), {("::1", port)})
        self.put_state_aside()
        proxy = self.proxy(self.socks5())
        self.assert_refused(self.source.send(*way, "socks5://" + proxy), 1,
                            f"through the proxy '{proxy}': .* \\(--ipv6 is for the proxy, too\\)")

    def test_a_socks_proxys_user_and_password_are_said_to_it(self):
        dest = self.listen()
        proxy = self.proxy(self.socks5("me", "secret"))
        self.assert_moved(self.source.send(dest, "-x", f"socks5h://me:secret@{proxy}"))
        self.assertEqual(set(self.used), {("localhost", self.listener.port)})

    def test_a_socks_proxy_that_does_not_know_the_user_says_so(self):
        dest = self.listen()
        proxy = self.proxy(self.socks5("me", "secret"))
        for user, says in (("me:wrong-word@", "does not take the user and the password that --proxy, or the environment, has"),
                           ("", "wants a user and a password: in --proxy put 'USER:PASSWORD@' before the proxy's name")):
            with self.subTest(user):
                done = self.source.send(dest, "-x", f"socks5h://{user}{proxy}", "--json")
                self.assert_refused(done, 3, f"the proxy '{proxy}' {says}")
                self.assertNotIn("wrong-word", done.stdout + done.stderr)

    def test_a_socks_proxy_that_refuses_is_named(self):
        dest = self.listen()
        proxy = self.proxy(self.socks5(answer=2))  # "connection not allowed by ruleset"
        self.assert_refused(self.source.send(dest, "-x", "socks5h://" + proxy), 3,
                            f"the proxy '{proxy}' does not lead to localhost:{self.listener.port}: .*let the proxy permit")

    def test_a_socks4a_proxy_is_asked_for_a_name(self):
        dest = self.listen()
        self.assert_moved(self.source.send(dest, "-x", "socks4a://" + self.proxy(self.socks4a)))
        self.assertEqual(set(self.used), {("localhost", self.listener.port)})

    def test_the_environments_proxy_is_heeded_and_its_exceptions_are(self):
        dest = self.listen()
        self.source.environment["https_proxy"] = "http://" + self.proxy(self.http())
        self.assert_moved(self.source.send(dest))
        self.assertGreater(len(self.used), 0)
        self.used.clear()
        self.assert_moved(self.source.send(dest, "--noproxy", "localhost"))
        self.source.environment["no_proxy"] = "localhost"
        self.assert_moved(self.source.send(dest))
        self.assertEqual(self.used, [])

    def test_tls_to_the_proxy_itself_is_refused(self):
        done = self.source.send("tls://localhost:1", "--proxy", "https://127.0.0.1:1")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("TLS to the proxy itself is not supported", done.said)

    def test_a_name_is_resolved_as_said(self):
        self.listen()
        port = self.listener.port
        self.assert_moved(self.source.send(f"tls://beta.example:{port}", "--resolve",
                                           f"beta.example:{port}:127.0.0.1"))

    def test_a_connection_comes_from_the_address_that_was_said(self):
        dest = self.listen()
        self.assert_moved(self.source.send(dest, "--interface", "127.0.0.9", "--ipv4"))
        self.listener.wait_for("127.0.0.9, migration")
        self.assert_refused_late(self.source.send(dest, "--interface", "no-such-interface"),
                                 "cannot use 'no-such-interface' \\(--interface\\)")

    def assert_refused_late(self, done, says):
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertRegex(done.said, says)

    def test_ipv6_reaches_an_address_of_ipv6_only(self):
        self.listen(address="[::1]")
        port = self.listener.port
        self.assert_moved(self.source.send(f"tls://[::1]:{port}"))
        self.listener.wait_for("::1, migration")
        done = self.source.send(f"tls://localhost:{port}", "--ipv4")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.said, f"cannot connect to localhost:{port}")

    def test_one_kind_of_address_is_enough_where_a_name_has_both(self):
        for mine, other, address in (("--ipv6", "--ipv4", "[::1]"), ("-4", "-6", "127.0.0.1")):
            with self.subTest(mine):
                self.listen(address=address)
                port = self.listener.port
                way = (f"tls://beta.example:{port}", "--resolve", f"beta.example:{port}:127.0.0.1,[::1]")
                self.assert_moved(self.source.send(*way, mine))
                self.put_state_aside()
                self.assert_refused(self.source.send(*way, other), 1, f"cannot connect to beta.example:{port}")

    def test_a_kind_of_address_that_a_name_has_not_is_named(self):
        self.listen(address="127.0.0.1")
        port = self.listener.port
        done = self.source.send(f"tls://beta.example:{port}", "--resolve", f"beta.example:{port}:127.0.0.1", "--ipv6")
        self.assert_refused(done, 1, "no IPv6 address of 'beta.example' is known")

    def test_an_address_that_does_not_answer_holds_nobody_up_where_another_does(self):
        self.listen()
        port = self.listener.port
        with contextlib.ExitStack() as stack:
            silent = stack.enter_context(socket.create_server(("::1", port), family=socket.AF_INET6, backlog=0))
            for _ in range(4):
                full = stack.enter_context(socket.socket(socket.AF_INET6))
                full.setblocking(False)
                full.connect_ex(silent.getsockname())
            done = self.source.send(f"tls://beta.example:{port}", "--resolve", f"beta.example:{port}:[::1],127.0.0.1",
                                    "--connect-timeout", "5")
        self.assert_moved(done)
        self.listener.wait_for("127.0.0.1, migration")

    def test_it_listens_at_all_sockets_that_the_service_manager_gives(self):
        log = os.path.join(self.folder, "listen.log")
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(socket.create_server((address, 0), family=family))
                       for address, family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6))]
            out = stack.enter_context(open(log, "w", encoding="utf-8"))
            one, two = (each.fileno() for each in sockets)
            process = subprocess.Popen(["bash", "-c", f"LISTEN_PID=$$ LISTEN_FDS=2 exec $0 listen 3<&{one} 4<&{two}", XMIG],
                                       env=self.target.environment, stdin=subprocess.DEVNULL, stderr=out,
                                       pass_fds=(one, two))
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            for dest in f"127.0.0.1:{sockets[0].getsockname()[1]}", f"[::1]:{sockets[1].getsockname()[1]}":
                done = self.source.send("tls://" + dest)
                with open(log, encoding="utf-8") as said:
                    self.assertEqual(done.returncode, 0, done.stderr + said.read())
                self.put_state_aside()

    def test_a_silent_host_is_given_up_after_the_time_that_was_said(self):
        with socket.create_server(("127.0.0.1", 0), backlog=0) as silent:
            port = silent.getsockname()[1]
            begun = time.monotonic()
            done = self.source.send(f"tls://127.0.0.1:{port}", "--connect-timeout", "0.5")
            self.assertLess(time.monotonic() - begun, 15)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.said, f"cannot connect to 127.0.0.1:{port}: .*time")

    def test_options_of_another_way_are_refused(self):
        for dest, *options in (["local:", "--cacert", "x"], ["host", "-4"], ["tls://localhost:1", "--rsh", "ssh"],
                               ["tls://localhost:1", "--connect-timeout", "soon"], ["tls://localhost"],
                               ["tls://me@localhost:1"]):
            done = self.source.send(dest, *options)
            self.assertEqual(done.returncode, 2, (dest, options, done.stderr))


if __name__ == "__main__":
    unittest.main(verbosity=2)
