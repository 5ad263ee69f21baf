"""A certificate authority of a test's own, by openssl(1), and a listener."""

import os
import re
import subprocess
import tempfile
import time

CONFIGURATION = """
[ca]
default_ca = ca
[ca]
dir = {folder}
database = $dir/index
new_certs_dir = $dir
serial = $dir/serial
crlnumber = $dir/crlnumber
default_md = sha256
default_crl_days = 30
policy = policy
copy_extensions = copy
unique_subject = no
[policy]
commonName = supplied
[req]
distinguished_name = dn
[dn]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[host]
basicConstraints = CA:FALSE
extendedKeyUsage = {usage}
"""


def openssl(*words):
    done = subprocess.run(["openssl", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, (words, done.stdout)
    return done.stdout


def date(days):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400))


class Authority:
    """With `parent` an intermediate one."""

    def __init__(self, folder, name, parent=None):
        self.folder = os.path.join(folder, name)
        os.mkdir(self.folder)
        for file, text in (("index", ""), ("serial", "1000\n"), ("crlnumber", "01\n")):
            with open(self.path(file), "w", encoding="ascii") as out:
                out.write(text)
        self.configure("serverAuth,clientAuth")
        key, self.certificate = self.path("key.pem"), self.path("ca.pem")
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        if parent:
            request = self.path("request")
            openssl("req", "-new", "-config", self.path("config"), "-key", key, "-subj", f"/CN={name}", "-out",
                    request)
            parent.sign(request, self.certificate, "authority", -1, 30)
        else:
            openssl("req", "-x509", "-config", self.path("config"), "-extensions", "authority", "-key", key,
                    "-subj", f"/CN={name}", "-days", "30", "-out", self.certificate)

    def path(self, name):
        return os.path.join(self.folder, name)

    def configure(self, usage):
        with open(self.path("config"), "w", encoding="ascii") as out:
            out.write(CONFIGURATION.format(folder=self.folder, usage=usage))

    def sign(self, request, out, extensions, start, end):
        openssl("ca", "-batch", "-notext", "-config", self.path("config"), "-keyfile", self.path("key.pem"),
                "-cert", self.certificate, "-extensions", extensions, "-in", request, "-out", out, "-startdate",
                date(start), "-enddate", date(end))

    def issue(self, name, start=-1, end=30, usage="serverAuth,clientAuth"):
        """A host's certificate, from so many days ahead until so many; its key is in the same file."""
        self.configure(usage)
        folder = tempfile.mkdtemp(dir=self.folder)
        key, request, certificate = (os.path.join(folder, file) for file in ("key", "request", "certificate"))
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        openssl("req", "-new", "-config", self.path("config"), "-key", key, "-subj", f"/CN={name}", "-addext",
                f"subjectAltName=DNS:{name}", "-out", request)
        self.sign(request, certificate, "host", start, end)
        both = os.path.join(folder, "both.pem")
        with open(both, "w", encoding="ascii") as out:
            for file in (certificate, key):
                with open(file, encoding="ascii") as text:
                    out.write(text.read())
        return both

    def revoke(self, both):
        openssl("ca", "-config", self.path("config"), "-keyfile", self.path("key.pem"), "-cert", self.certificate,
                "-revoke", both)

    def revoked(self):
        """The list of them, anew."""
        path = self.path("crl.pem")
        openssl("ca", "-gencrl", "-config", self.path("config"), "-keyfile", self.path("key.pem"), "-cert",
                self.certificate, "-out", path + ".new")
        os.rename(path + ".new", path)
        return path


class Listener:
    """`xmig listen` on a port of the loopback interface that is free; its log is a file."""

    def __init__(self, program, environment, log, *options, address="127.0.0.1", port=None):
        self.log = log
        for _ in range(20):
            self.port = port or 20000 + int.from_bytes(os.urandom(2), "little") % 30000
            with open(log, "w", encoding="utf-8") as errors:
                self.process = subprocess.Popen([program, "listen", *options, f"{address}:{self.port}"],
                                                env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                                stderr=errors)
            if self.wait_for("listening at|cannot listen")[0] == "listening at":
                return
            self.process.wait()
        raise AssertionError("no port is free")

    def text(self):
        with open(self.log, encoding="utf-8") as file:
            return re.sub(r"\n +", " ", file.read())

    def wait_for(self, pattern, timeout_s=30):
        limit = time.monotonic() + timeout_s
        while True:
            found = re.search(pattern, self.text())
            if found:
                return found
            assert time.monotonic() < limit and self.process.poll() is None or re.search(pattern, self.text()), \
                f"the listener does not say '{pattern}' but: {self.text()}"
            time.sleep(0.02)

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(60)
