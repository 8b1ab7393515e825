/** Dockerfiles that every builder builds, and the differences that have a reason. */

/** Names of the images that cases are built on, in the test registry. */
export interface Bases {
  debian: string;
  /** Debian with Node and npm. */
  node: string;
}

export interface PeerCase {
  name: string;
  /** Folder of the repository that is the context. */
  example?: string;
  /** Further files of the context, the Dockerfile among them where the example has none. */
  files?(bases: Bases): Record<string, string>;
  options?(bases: Bases): string[];
  /** True for a difference (`/path: ours | theirs`) that is to be expected. */
  explained(line: string, peer: string): boolean;
}

/** Files in which apt and dpkg write the time of the installation. */
const clock =
  /^\/(var\/log\/|var\/cache\/(apt|ldconfig|debconf)\/|var\/lib\/(apt|dpkg|systemd)\/|etc\/(ld\.so\.cache|machine-id)|usr\/share\/info\/dir)/;

export const cases: PeerCase[] = [
  {
    name: 'a Debian package installed by apt',
    files: ({ debian }) => ({
      Dockerfile: `FROM ${debian}
RUN apt-get update && apt-get install -y --no-install-recommends curl && rm -rf /var/lib/apt/lists/*
ENTRYPOINT ["curl"]
`,
    }),
    explained: (line) => clock.test(line),
  },
  {
    name: 'a static C program in scratch',
    files: ({ debian }) => ({
      'hello.c': 'int main(void) { return 7; }\n',
      Dockerfile: `FROM ${debian} AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev
WORKDIR /src
COPY hello.c .
RUN gcc -static -O2 -o /hello hello.c && strip /hello
FROM scratch
COPY --from=build /hello /hello
ENTRYPOINT ["/hello"]
`,
    }),
    explained: () => false,
  },
  {
    name: 'a Node application with dependencies',
    example: 'examples/node-app',
    options: ({ node }) => ['--build-arg', `NODE_IMAGE=${node}`],
    // npm's cache has times and random names in it.
    explained: (line) => /^\/root\/\.npm\//.test(line),
  },
  {
    name: 'every instruction',
    files: ({ debian }) => ({
      '.dockerignore': 'ignored*\n!ignored-but-kept\n',
      'app/main.sh': '#!/bin/sh\necho main\n',
      'app/lib/a.txt': 'a\n',
      'ignored-file': 'no\n',
      'ignored-but-kept': 'yes\n',
      Dockerfile: `ARG GLOBAL=one
FROM ${debian} AS tools
ARG GLOBAL
RUN mkdir -p /tools/bin && echo "$GLOBAL" > /tools/bin/tool && chmod 4755 /tools/bin/tool \\
 && ln /tools/bin/tool /tools/bin/hard && ln -s tool /tools/bin/soft && touch -d 2001-02-03 /tools/old
FROM ${debian}
MAINTAINER somebody@example.com
ARG VERSION=1.2.3
ENV APP_VERSION=\${VERSION} APP_HOME=/srv/app
LABEL org.example.version="\${VERSION}" "org.example.words"="two words"
RUN groupadd -g 4242 app && useradd -u 4242 -g app -d /srv/app app && rm -rf /var/log/* /etc/*-
WORKDIR $APP_HOME
COPY --chown=app:app app/ ./
COPY --chmod=0750 app/main.sh /usr/local/bin/main
COPY . /everything/
COPY --from=tools /tools /opt/tools
ADD app/lib /added/
COPY <<EOT /etc/app.conf
version=$APP_VERSION
EOT
RUN <<SCRIPT
echo from a heredoc > heredoc.txt
rm -rf /usr/share/doc /opt/tools/bin/hard
chown app .
SCRIPT
USER app
RUN id > id.txt && touch "$HOME/home.txt"
WORKDIR relative/dir
VOLUME ["/data", "/cache"]
EXPOSE 8080 8443/udp
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --retries=2 CMD true
SHELL ["/bin/sh", "-ec"]
ONBUILD RUN echo child
ENTRYPOINT ["main"]
CMD echo "$APP_HOME"
`,
    }),
    explained: (line, peer) =>
      /^\/etc\/\.pwd\.lock/.test(line) ||
      // buildah makes VOLUME directories in the image; BuildKit only records them.
      (peer === 'buildah' && /^\/(data|cache)\b/.test(line)) ||
      // buildah has no SHELL in OCI images, so CMD has the default one.
      (peer === 'buildah' && line.startsWith('config.Cmd: ["/bin/sh","-ec",')) ||
      // COPY --chown changes the owner of the existing target directory in buildah.
      (peer === 'buildah' && /^\/srv\/app: "40755 4242:0"/.test(line)) ||
      // buildah makes a WORKDIR only when something is written to it.
      (peer === 'buildah' && /^\/srv\/app\/relative(\/dir)?: .* \| undefined$/.test(line)),
  },
];
