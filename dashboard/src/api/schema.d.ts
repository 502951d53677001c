// Made by `make types` from the OpenAPI document of the API; CI makes it again and compares.

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description A variable of the environment. */
        "Settings.reference": string;
        /**
         * Actions
         * @description Actions that rules can use for their rows.
         */
        "Settings.Actions": {
            /** @description S3 actions by name. */
            s3?: {
                [key: string]: components["schemas"]["Settings.S3Action"];
            };
        };
        /**
         * AggregatedParameters
         * @description Many rows in each object.
         */
        "Settings.AggregatedParameters": {
            /** @description Canned ACL of the objects and of the ledger. */
            acl?: (("private" | "public_read" | "public_read_write" | "authenticated_read" | "bucket_owner_read" | "bucket_owner_full_control") | components["schemas"]["Settings.reference"]) | null;
            /** @description Content type. Default: that of the container; in direct mode none. */
            content_type?: string | null;
            /** @description Headers of each PUT, such as Cache-Control. Values: text, ${NAME} or file:///path. */
            headers?: {
                [key: string]: string;
            };
            /** @description User metadata, without the prefix x-amz-meta-. Values are templates in direct mode. */
            metadata?: {
                [key: string]: string;
            };
            /** @description Object tags, ten at most. Values are templates in direct mode. */
            tags?: {
                [key: string]: string;
            };
            /** @description Storage class, such as STANDARD_IA. The ledger keeps the default class of its bucket. */
            storage_class?: (string | components["schemas"]["Settings.reference"]) | null;
            /** @description Encryption of objects and ledger by the store. Default: that of the bucket. */
            server_side_encryption?: (("AES256" | "aws:kms" | "aws:kms:dsse") | components["schemas"]["Settings.reference"]) | null;
            /** @description KMS key for aws:kms. Default: that of the bucket or the account. */
            sse_kms_key_id?: string | null;
            /** @description S3 bucket key, which saves requests to KMS. */
            bucket_key_enabled?: (boolean | components["schemas"]["Settings.reference"]) | null;
            mode: "aggregated" | components["schemas"]["Settings.reference"];
            /** @description Limits at which a chunk closes. */
            aggregation?: components["schemas"]["Settings.Aggregation"];
            /** @description File format of the objects. */
            container?: components["schemas"]["Settings.JsonLines"] | components["schemas"]["Settings.RawLines"] | components["schemas"]["Settings.Csv"] | components["schemas"]["Settings.Parquet"];
            /**
             * @description Compression of the objects. Parquet compresses inside the file instead.
             * @default none
             */
            compression: ("none" | "gzip" | "zstd") | components["schemas"]["Settings.reference"];
            /**
             * @description Name the compression in the header Content-Encoding. HTTP clients then decompress the object as they download it. Set false for readers that go by the ending of the key, such as .gz.
             * @default true
             */
            content_encoding: boolean | components["schemas"]["Settings.reference"];
            /** @description Level of the compression: gzip 0 to 3, zstd 1 to 19. Default: 1. */
            compression_level?: (number | components["schemas"]["Settings.reference"]) | null;
            /** @description Bucket. It may be a template if `ledger_bucket` is set. */
            bucket: string;
            /** @description Bucket of the ledger. Default: `bucket`. */
            ledger_bucket?: string | null;
            /** @description Template of the object key. If partition, offset or epoch is absent, it is added. */
            key: string;
            /**
             * @description Objects larger than this are uploaded in parts of this size.
             * @default 5MB
             * @example 64KB
             * @example 5MB
             * @example 1GB
             */
            min_part_size: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description Parts grow up to this size if an object would have more than 10,000 parts.
             * @default 5GB
             * @example 64KB
             * @example 5MB
             * @example 1GB
             */
            max_part_size: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description What the key prints for a missing value. dead_letter: the row becomes a dead letter.
             * @default undefined
             */
            missing: ("undefined" | "empty" | "null" | "dead_letter") | components["schemas"]["Settings.reference"];
        };
        /**
         * Aggregation
         * @description Limits at which an open chunk closes and becomes an object.
         */
        "Settings.Aggregation": {
            /**
             * @description The longest time that a row waits in an open chunk, and the length of a time window.
             * @default 30m
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            time_interval: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description Number of rows at which a chunk closes.
             * @default 100000
             */
            max_records: number | components["schemas"]["Settings.reference"];
            /**
             * @description Size at which a chunk closes, before compression.
             * @default 64MB
             * @example 64KB
             * @example 5MB
             * @example 1GB
             */
            max_bytes: string | number | components["schemas"]["Settings.reference"];
        };
        /**
         * AvroInline
         * @description Columns from an Avro schema that is written here.
         */
        "Settings.AvroInline": {
            /** @description Columns from an Avro schema that is written here. */
            type: "avro_inline" | components["schemas"]["Settings.reference"];
            /** @description The Avro record schema as JSON text. */
            def: string;
        };
        /**
         * AvroRef
         * @description Columns from an Avro schema of the section `schemas`.
         */
        "Settings.AvroRef": {
            /** @description Columns from an Avro schema of the section `schemas`. */
            type: "avro_ref" | components["schemas"]["Settings.reference"];
            /** @description Name of the schema in the section `schemas`. */
            name: string | components["schemas"]["Settings.reference"];
        };
        /**
         * ClientTls
         * @description TLS of a client connection that may show its own certificate.
         */
        "Settings.ClientTls": {
            /**
             * @description Use TLS.
             * @default false
             */
            enable: boolean | components["schemas"]["Settings.reference"];
            /**
             * @description Check the server's certificate.
             * @default verify_peer
             */
            verify: ("verify_peer" | "verify_none") | components["schemas"]["Settings.reference"];
            /** @description PEM file of the trusted certificate authorities. Default: those of the system. */
            cacertfile?: string | null;
            /** @description PEM file of our own certificate and of the certificates of its issuers. */
            certfile?: string | null;
            /** @description PEM file of the private key. */
            keyfile?: string | null;
        };
        /**
         * ClientidFrom
         * @description One way to find the clientid of a message's publisher. Exactly one field is set.
         */
        "Settings.ClientidFrom": {
            /** @description Name of an MQTT 5 user property that the broker sets. */
            user_property?: string | null;
            /** @description Topic template with {clientid} as one level, such as t/{clientid}/up. */
            topic?: string | null;
            /** @description Dotted path of a field in a JSON payload. A device can claim any clientid. */
            payload?: string | null;
        };
        /**
         * ConnectorResourceOpts
         * @description Accepted for compatibility with EMQX. Health checks of a connector are those of its actions' buckets.
         */
        "Settings.ConnectorResourceOpts": {
            /**
             * @description Without effect: `enable` decides whether it runs.
             * @default true
             */
            start_after_created: boolean | components["schemas"]["Settings.reference"];
            /**
             * @description Without effect: no request waits for a start.
             * @default 5s
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            start_timeout: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description Without effect: each action uses its own interval.
             * @default 15s
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            health_check_interval: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description Without effect: each action uses its own limit.
             * @default 1m
             * @example 15s
             * @example infinity
             */
            health_check_timeout: string | number | components["schemas"]["Settings.reference"];
        };
        /**
         * Connectors
         * @description Connections to outside systems.
         */
        "Settings.Connectors": {
            /** @description S3 endpoints by name. */
            s3?: {
                [key: string]: components["schemas"]["Settings.S3Connector"];
            };
        };
        /**
         * Control
         * @description The configuration in Kafka: sources, connectors, actions, rules and schemas are in a topic, and not in the file.
         */
        "Settings.Control": {
            /**
             * @description Topic of the configuration. Each pipeline needs its own. Tidegate creates it, compacted.
             * @default tidegate.config
             */
            topic: string | components["schemas"]["Settings.reference"];
            /**
             * @description Topic in which processes report their status. Pipelines may share it. Tidegate creates it.
             * @default tidegate.status
             */
            status_topic: string | components["schemas"]["Settings.reference"];
            /** @description File of the keys that open sealed secrets, for workers and ingresses: `tidegate secrets init` makes it. */
            secrets_key?: string | null;
        };
        /**
         * Csv
         * @description Cells of text, one line for each row.
         */
        "Settings.Csv": {
            /** @description Fields of the rows that are not written, such as those that are in the key. */
            except?: string[];
            /** @description Cells of text, one line for each row. */
            type: "csv" | components["schemas"]["Settings.reference"];
            /** @description Columns that come first, in this order, even if no row has them. */
            column_order?: string[];
            /**
             * @description Fields that are not in column_order. append: sorted columns after them. ignore: left out. dead_letter: the row becomes a dead letter.
             * @default append
             */
            other_columns: ("append" | "ignore" | "dead_letter") | components["schemas"]["Settings.reference"];
            /**
             * @description Begin each object with a line of column names.
             * @default true
             */
            header: boolean | components["schemas"]["Settings.reference"];
            /**
             * @description Text of a null value. A missing value is always an empty cell.
             * @default null
             */
            null: string;
            /**
             * @description The character between cells.
             * @default ,
             */
            delimiter: string | components["schemas"]["Settings.reference"];
            /**
             * @description Line break: LF or CR LF.
             * @default lf
             */
            line_end: ("lf" | "crlf") | components["schemas"]["Settings.reference"];
            /**
             * @description Write a single quote before a text that a spreadsheet would run as a formula: one that begins with =, +, -, @, a tab or a carriage return. Numbers stay as they are.
             * @default false
             */
            escape_formulas: boolean | components["schemas"]["Settings.reference"];
        };
        /**
         * DirectParameters
         * @description One object for each row. Metadata and tags are templates too.
         */
        "Settings.DirectParameters": {
            /** @description Canned ACL of the objects and of the ledger. */
            acl?: (("private" | "public_read" | "public_read_write" | "authenticated_read" | "bucket_owner_read" | "bucket_owner_full_control") | components["schemas"]["Settings.reference"]) | null;
            /** @description Content type. Default: that of the container; in direct mode none. */
            content_type?: string | null;
            /** @description Headers of each PUT, such as Cache-Control. Values: text, ${NAME} or file:///path. */
            headers?: {
                [key: string]: string;
            };
            /** @description User metadata, without the prefix x-amz-meta-. Values are templates in direct mode. */
            metadata?: {
                [key: string]: string;
            };
            /** @description Object tags, ten at most. Values are templates in direct mode. */
            tags?: {
                [key: string]: string;
            };
            /** @description Storage class, such as STANDARD_IA. The ledger keeps the default class of its bucket. */
            storage_class?: (string | components["schemas"]["Settings.reference"]) | null;
            /** @description Encryption of objects and ledger by the store. Default: that of the bucket. */
            server_side_encryption?: (("AES256" | "aws:kms" | "aws:kms:dsse") | components["schemas"]["Settings.reference"]) | null;
            /** @description KMS key for aws:kms. Default: that of the bucket or the account. */
            sse_kms_key_id?: string | null;
            /** @description S3 bucket key, which saves requests to KMS. */
            bucket_key_enabled?: (boolean | components["schemas"]["Settings.reference"]) | null;
            /** @default direct */
            mode: "direct" | components["schemas"]["Settings.reference"];
            /** @description Template of the bucket. */
            bucket: string;
            /** @description Template of the object key. */
            key: string;
            /**
             * @description Template of the object's content. ${payload} is the exact bytes of the payload.
             * @default ${.}
             */
            content: string;
            /**
             * @description What templates print for a missing value. dead_letter: the row becomes a dead letter.
             * @default undefined
             */
            missing: ("undefined" | "empty" | "null" | "dead_letter") | components["schemas"]["Settings.reference"];
            /**
             * @description fenced: no older row replaces a newer one, and a replay changes nothing. overwrite: plain PUTs.
             * @default fenced
             */
            write: ("fenced" | "overwrite") | components["schemas"]["Settings.reference"];
            /**
             * @description Of the rows that wait for one key, write only the newest. For keys of the latest value, such as latest/${clientid}.json. The order is then that of each key, not of each client.
             * @default false
             */
            conflate: boolean | components["schemas"]["Settings.reference"];
        };
        /**
         * ExHookSource
         * @description A port that EMQX's ExHook calls with the publisher of each message and with client and session events.
         */
        "Settings.ExHookSource": {
            /**
             * @description Whether the source runs.
             * @default true
             */
            enable: boolean | components["schemas"]["Settings.reference"];
            /**
             * @description Description for people, without effect.
             * @default
             */
            description: string;
            /**
             * @description host:port to listen on (gRPC).
             * @default 127.0.0.1:9000
             */
            bind: string;
            /**
             * @description Events to take from EMQX.
             * @default [
             *       "client.connected",
             *       "client.disconnected",
             *       "session.created",
             *       "session.subscribed",
             *       "session.unsubscribed",
             *       "session.resumed",
             *       "session.discarded",
             *       "session.takenover",
             *       "session.terminated"
             *     ]
             */
            events: (("client.connack" | "client.connected" | "client.disconnected" | "session.created" | "session.subscribed" | "session.unsubscribed" | "session.resumed" | "session.discarded" | "session.takenover" | "session.terminated" | "message.delivered" | "message.acked" | "message.dropped") | components["schemas"]["Settings.reference"])[];
            /** @description Topic filters of messages to take from EMQX; empty: no messages. If a source in `mqtt` takes the same message, it is in Kafka twice. */
            messages?: string[];
            /**
             * @description The most records that wait for Kafka.
             * @default 10000
             */
            buffer_records: number | components["schemas"]["Settings.reference"];
            /**
             * @description The most bytes that wait for Kafka. One call may exceed this.
             * @default 64MB
             * @example 64KB
             * @example 5MB
             * @example 1GB
             */
            buffer_bytes: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description drop: when the buffer is full, drop and count records. wait: let EMQX wait, and its client with it. Calls that wait hold at most buffer_bytes; a further one does not wait.
             * @default drop
             */
            when_full: ("drop" | "wait") | components["schemas"]["Settings.reference"];
            /**
             * @description The longest time that EMQX waits before the record is dropped. Keep it below EMQX's request_timeout.
             * @default 4s
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            wait_timeout: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description Keep the names that metrics of Sparkplug B get in births, so that spb_decode() can give them to metrics that come with an alias only.
             * @default false
             */
            sparkplug_aliases: boolean | components["schemas"]["Settings.reference"];
            /** @description TLS of this port. */
            ssl?: components["schemas"]["Settings.ServerTls"];
        };
        /**
         * Inferred
         * @description Columns from the kinds of values in each object.
         */
        "Settings.Inferred": {
            /**
             * @description Columns from the kinds of values in each object. Numbers are doubles.
             * @default inferred
             */
            type: "inferred" | components["schemas"]["Settings.reference"];
        };
        /**
         * JsonLines
         * @description One JSON object a line.
         */
        "Settings.JsonLines": {
            /** @description Fields of the rows that are not written, such as those that are in the key. */
            except?: string[];
            /**
             * @description One JSON object a line.
             * @default json_lines
             */
            type: "json_lines" | components["schemas"]["Settings.reference"];
        };
        /**
         * KafkaConfig
         * @description Addresses of Kafka and names of the topics.
         */
        "Settings.KafkaConfig": {
            /** @description host:port of the brokers, separated by commas. */
            bootstrap_servers: string;
            ssl?: components["schemas"]["Settings.KafkaTls"];
            authentication?: components["schemas"]["Settings.KafkaLogin"] | null;
            /**
             * @description Topic of the MQTT messages.
             * @default mqtt.messages
             */
            messages_topic: string;
            /**
             * @description Topic of the client events. It may be the topic of the messages.
             * @default mqtt.events
             */
            events_topic: string;
            /**
             * @description Topic of records that could not be handled.
             * @default tidegate.dead-letter
             */
            dead_letter_topic: string;
            /**
             * @description Topic of the names that metrics of Sparkplug B have: see sparkplug_aliases of the sources.
             * @default tidegate.aliases
             */
            aliases_topic: string;
            /**
             * @description Number of partitions of topics that Tidegate creates.
             * @default 8
             */
            partitions: number | components["schemas"]["Settings.reference"];
            /**
             * @description Number of replicas of topics that Tidegate creates. -1: the broker's default.
             * @default -1
             */
            replication_factor: number | components["schemas"]["Settings.reference"];
            /**
             * @description The largest record of the ingress's producer and of topics that Tidegate creates.
             * @default 16MB
             * @example 64KB
             * @example 5MB
             * @example 1GB
             */
            max_message_bytes: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description If a worker is silent for this time, it loses its partitions.
             * @default 30s
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            session_timeout: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description How often durable offsets are committed.
             * @default 1s
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            commit_interval: string | number | components["schemas"]["Settings.reference"];
        };
        /**
         * KafkaLogin
         * @description Login at Kafka by SASL. A client certificate (`kafka.ssl.certfile`) needs no login beside it.
         */
        "Settings.KafkaLogin": {
            /** @description How to log in. */
            mechanism: ("plain" | "scram_sha_256" | "scram_sha_512" | "oauth" | "msk_iam" | "kerberos") | components["schemas"]["Settings.reference"];
            /** @description User name, for plain and scram. */
            username?: string | null;
            /** @description Password, for plain and scram: text, ${NAME} or file:///path. */
            password?: string | null;
            /** @description oauth: address of the token endpoint of an OIDC server, which gives tokens for client credentials. */
            endpoint_uri?: (string | components["schemas"]["Settings.reference"]) | null;
            /** @description oauth: client id at the token endpoint. */
            client_id?: string | null;
            /** @description oauth: client secret: text, ${NAME} or file:///path. */
            client_secret?: string | null;
            /** @description oauth: scope of the token. */
            scope?: string | null;
            /** @description oauth: PEM file of the certificate authorities of the token endpoint. Default: those of the system. */
            cacertfile?: string | null;
            /** @description oauth: a JWT instead of client credentials, usually file:///path. The file is read again for each login. */
            token?: string | null;
            /** @description oauth: SASL extensions, such as logicalCluster and identityPoolId of Confluent Cloud. */
            extensions?: {
                [key: string]: string;
            };
            /** @description msk_iam: AWS region of the cluster. Default: the one in the host names. */
            region?: string | null;
            /** @description kerberos: our principal, such as tidegate/host@REALM. */
            kerberos_principal?: string | null;
            /** @description kerberos: the principal's keytab. */
            kerberos_keytab_file?: string | null;
            /**
             * @description kerberos: name of the brokers' service.
             * @default kafka
             */
            kerberos_service_name: string;
        };
        /**
         * KafkaTls
         * @description TLS to Kafka. A setting for a file also takes PEM text. Files are read again when they change.
         */
        "Settings.KafkaTls": {
            /**
             * @description Use TLS.
             * @default false
             */
            enable: boolean | components["schemas"]["Settings.reference"];
            /**
             * @description Check the server's certificate.
             * @default verify_peer
             */
            verify: ("verify_peer" | "verify_none") | components["schemas"]["Settings.reference"];
            /** @description PEM file of the trusted certificate authorities. Default: those of the system. */
            cacertfile?: string | null;
            /** @description PEM file of our own certificate and of the certificates of its issuers. */
            certfile?: string | null;
            /** @description PEM file of the private key, or its text, ${NAME} or file:///path. */
            keyfile?: string | null;
            /** @description Password of the private key: text, ${NAME} or file:///path. */
            password?: string | null;
            /** @description `disable`: do not compare the name in the certificate with the broker's host. Another name than the host's cannot be set, since each broker has its own. */
            server_name_indication?: ("disable" | components["schemas"]["Settings.reference"]) | null;
        };
        /**
         * ListenerSource
         * @description A port on which devices publish with MQTT 5, 3.1.1 or 3.1. Clients cannot subscribe here.
         */
        "Settings.ListenerSource": {
            /**
             * @description Whether the source runs.
             * @default true
             */
            enable: boolean | components["schemas"]["Settings.reference"];
            /**
             * @description Description for people, without effect.
             * @default
             */
            description: string;
            /**
             * @description host:port to listen on.
             * @default 127.0.0.1:1883
             */
            bind: string;
            /**
             * @description Transport of MQTT on this port. With ssl, WebSocket is wss.
             * @default tcp
             */
            transport: ("tcp" | "websockets") | components["schemas"]["Settings.reference"];
            /**
             * @description Path of the WebSocket.
             * @default /mqtt
             */
            websocket_path: string | components["schemas"]["Settings.reference"];
            /** @description Topic filters that a client may publish to. %c stands for its clientid and %u for its user name, if these do not contain / + #. */
            topics: string[];
            /**
             * @description password: users of `password_file`. certificate: the user name is the common name of the client's certificate; needs ssl.cacertfile. none: every client may connect, and its user name is not checked.
             * @default password
             */
            authentication: ("password" | "certificate" | "none") | components["schemas"]["Settings.reference"];
            /** @description File with lines of user:hash, from `tidegate password` or mosquitto_passwd or with bcrypt, or a bootstrap file of EMQX's built-in database (CSV or JSON). It is read again when it changes. */
            password_file?: string | null;
            /**
             * @description Refuse clients whose clientid is not their user name, so that no client can use the clientid of another. Without it, %c in `topics` protects nothing, and `tidegate check` warns.
             * @default false
             */
            clientid_is_username: boolean | components["schemas"]["Settings.reference"];
            /** @description Ways to find the publisher of a message from a gateway or bridge, tried in this order. If none gives a clientid, it is that of the connection. */
            clientid_from?: components["schemas"]["Settings.ClientidFrom"][];
            /** @description Clients whose messages `clientid_from` looks into: their user names, or with authentication: none their clientids. Without any, it looks into the messages of each client. */
            gateways?: string[];
            /**
             * @description The most connections at the same time. Further connections are closed.
             * @default 10000
             */
            max_connections: number | components["schemas"]["Settings.reference"];
            /** @description The most connections of one IPv4 address, or of one /64 network of IPv6. Not limited by default, because a load balancer or NAT has one address for many clients. */
            max_connections_per_address?: (number | components["schemas"]["Settings.reference"]) | null;
            /**
             * @description How long a login may take, with TLS and the check of the password.
             * @default 10s
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            connect_timeout: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description The largest packet of a client.
             * @default 1MB
             * @example 64KB
             * @example 5MB
             * @example 1GB
             */
            max_packet_size: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description The most unacknowledged messages of one client: the receive maximum of MQTT 5.
             * @default 1000
             */
            window: number | components["schemas"]["Settings.reference"];
            /**
             * @description The most packets of one client in a second that bring no message, such as PINGREQ, and messages to topics that are not allowed. Ten times as many may come at once. The listener does not read from a client beyond it, and ends the connection after 30 s of that.
             * @default 100
             */
            control_packets_per_second: number | components["schemas"]["Settings.reference"];
            /**
             * @description The longest keep-alive. MQTT 5 clients that ask for a longer one, or for none, get this one.
             * @default 1h
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            keepalive_max: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description How long the listener remembers, at most, which messages of QoS 2 a client without a connection has sent, so that none is taken twice. MQTT 5 clients may ask for less; a client with a clean session is not remembered.
             * @default 2h
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            session_expiry_max: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description The longest delay of a will after its client is gone.
             * @default 5m
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            will_delay_max: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description The most records of all clients that wait for Kafka. When they are reached, the listener stops reading.
             * @default 100000
             */
            buffer_records: number | components["schemas"]["Settings.reference"];
            /**
             * @description The most bytes of all clients that wait for Kafka. Messages that were already read may exceed this.
             * @default 64MB
             * @example 64KB
             * @example 5MB
             * @example 1GB
             */
            buffer_bytes: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description The most bytes of unfinished packets, wills and topic aliases of all clients together. Beyond it, the client that holds most is disconnected. There is always room for two packets of max_packet_size.
             * @default 64MB
             * @example 64KB
             * @example 5MB
             * @example 1GB
             */
            held_bytes: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description Keep the names that metrics of Sparkplug B get in births, so that spb_decode() can give them to metrics that come with an alias only.
             * @default false
             */
            sparkplug_aliases: boolean | components["schemas"]["Settings.reference"];
            /** @description TLS of this port. */
            ssl?: components["schemas"]["Settings.ServerTls"];
        };
        /**
         * Metrics
         * @description Addresses of the pages of the processes: metrics for Prometheus, health and status.
         */
        "Settings.Metrics": {
            /**
             * @description Address to listen on.
             * @default 127.0.0.1
             */
            bind: string;
            /**
             * @description Port of the ingress. 0: no page.
             * @default 0
             */
            ingress_port: number | components["schemas"]["Settings.reference"];
            /**
             * @description Port of the worker. 0: no page.
             * @default 0
             */
            worker_port: number | components["schemas"]["Settings.reference"];
        };
        /**
         * MqttSource
         * @description One MQTT broker to read from.
         */
        "Settings.MqttSource": {
            /**
             * @description Whether the source runs.
             * @default true
             */
            enable: boolean | components["schemas"]["Settings.reference"];
            /**
             * @description Description for people, without effect.
             * @default
             */
            description: string;
            /** @description host:port of the broker. */
            server: string;
            /** @description Topic filters to subscribe to. */
            topics: string[];
            /**
             * @description QoS of the subscription. QoS 1 loses nothing, so 2 is not offered.
             * @default 1
             */
            qos: (0 | 1) | components["schemas"]["Settings.reference"];
            /**
             * @description Clientid of the ingress. Default: tidegate-<pipeline>-<name>.
             * @default
             */
            clientid: string;
            /**
             * @description MQTT version.
             * @default 5
             */
            protocol: ("5" | "3.1.1") | components["schemas"]["Settings.reference"];
            /** @description User name at the broker. */
            username?: string | null;
            /** @description Password: text, ${NAME} or file:///path. */
            password?: string | null;
            /** @description TLS to the broker. */
            ssl?: components["schemas"]["Settings.ClientTls"];
            /**
             * @description Transport of the MQTT connection.
             * @default tcp
             */
            transport: ("tcp" | "websockets") | components["schemas"]["Settings.reference"];
            /**
             * @description Path of the WebSocket.
             * @default /mqtt
             */
            websocket_path: string | components["schemas"]["Settings.reference"];
            /**
             * @description MQTT keep-alive.
             * @default 1m
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            keepalive: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description How long the broker keeps the session while the ingress is away.
             * @default 1d
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            session_expiry: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description The most messages received and not yet acknowledged.
             * @default 1000
             */
            window: number | components["schemas"]["Settings.reference"];
            /**
             * @description The most bytes received and not yet in Kafka. One read may exceed this.
             * @default 64MB
             * @example 64KB
             * @example 5MB
             * @example 1GB
             */
            window_bytes: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description Several processes may have this source. Only one connects; another takes over when it is gone.
             * @default false
             */
            standby: boolean | components["schemas"]["Settings.reference"];
            /** @description Ways to find the publisher's clientid, tried in this order. Without any, the topic is the key. */
            clientid_from?: components["schemas"]["Settings.ClientidFrom"][];
            /**
             * @description Refuse ways in which a device can claim any clientid: payload fields.
             * @default false
             */
            strict_clientid: boolean | components["schemas"]["Settings.reference"];
            /**
             * @description Which retained messages to take: first: those of a new session; always: those of each connection; never: none.
             * @default first
             */
            retained: ("first" | "always" | "never") | components["schemas"]["Settings.reference"];
            /** @description Adapters that make client events from this broker's own status topics. */
            events?: (("mosquitto_log" | "emqx_sys" | "nanomq_status" | "aws_presence") | components["schemas"]["Settings.reference"])[];
            /** @description Birth messages and last wills of devices, which become client events. */
            status_topic?: components["schemas"]["Settings.StatusTopic"] | null;
            /**
             * @description Keep the names that metrics of Sparkplug B get in births, so that spb_decode() can give them to metrics that come with an alias only.
             * @default false
             */
            sparkplug_aliases: boolean | components["schemas"]["Settings.reference"];
        };
        /**
         * Otel
         * @description Spans for a collector of OpenTelemetry, over OTLP/HTTP. Needs the extra `otel`.
         */
        "Settings.Otel": {
            /** @description Address of the collector, such as http://collector:4318. Spans go to /v1/traces below it. */
            endpoint: string | components["schemas"]["Settings.reference"];
            /**
             * @description The name `service.name` of all processes.
             * @default tidegate
             */
            service_name: string | components["schemas"]["Settings.reference"];
            /** @description Headers of each request, such as a token of the collector. Values: text, ${NAME} or file:///path. */
            headers?: {
                [key: string]: string;
            };
            /** @description PEM file of the trusted certificate authorities. Default: those of the system. */
            cacertfile?: string | null;
            /**
             * @description The longest time for one export, with its repetitions.
             * @default 10s
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            timeout: string | number | components["schemas"]["Settings.reference"];
        };
        /**
         * Parquet
         * @description Typed columns.
         */
        "Settings.Parquet": {
            /** @description Fields of the rows that are not written, such as those that are in the key. */
            except?: string[];
            /** @description Typed columns. */
            type: "parquet" | components["schemas"]["Settings.reference"];
            /** @description Source of the columns: an Avro schema, or the rows themselves. */
            schema?: components["schemas"]["Settings.AvroInline"] | components["schemas"]["Settings.AvroRef"] | components["schemas"]["Settings.Inferred"];
            /**
             * @description Compression of the columns.
             * @default snappy
             */
            default_compression: ("snappy" | "zstd" | "none") | components["schemas"]["Settings.reference"];
            /**
             * @description Size at which a row group closes, before compression.
             * @default 128MB
             * @example 64KB
             * @example 5MB
             * @example 1GB
             */
            max_row_group_bytes: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description Store repeated values once, in a dictionary of their column.
             * @default true
             */
            enable_dictionary: boolean | components["schemas"]["Settings.reference"];
            /**
             * @description Version of data pages. Use 1 for old readers.
             * @default 2
             */
            data_page_header_version: (1 | 2) | components["schemas"]["Settings.reference"];
            /**
             * @description Without effect: lists always have the three levels of the format since 2014.
             * @default false
             */
            write_old_list_structure: boolean | components["schemas"]["Settings.reference"];
        };
        /**
         * RawLines
         * @description The bytes of one field a line.
         */
        "Settings.RawLines": {
            /** @description The bytes of one field a line. */
            type: "raw_lines" | components["schemas"]["Settings.reference"];
            /**
             * @description Field of the row whose text or bytes become the line.
             * @default payload
             */
            field: string | components["schemas"]["Settings.reference"];
        };
        /**
         * ResourceOpts
         * @description Limits and health checks of an action.
         */
        "Settings.ResourceOpts": {
            /**
             * @description Without effect: `enable` decides whether it runs.
             * @default true
             */
            start_after_created: boolean | components["schemas"]["Settings.reference"];
            /**
             * @description Without effect: no request waits for a start.
             * @default 5s
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            start_timeout: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description The most PUTs under way at once for each partition (direct). Each client always has at most one.
             * @default 100
             */
            inflight_window: number | components["schemas"]["Settings.reference"];
            /**
             * @description sync: one PUT at a time for each partition, in Kafka's order across clients (direct).
             * @default async
             */
            query_mode: ("async" | "sync") | components["schemas"]["Settings.reference"];
            /**
             * @description The most bytes that the action holds in one worker, rows included as they are made. At this bound the worker stops fetching and drops nothing.
             * @default 256MB
             * @example 64KB
             * @example 5MB
             * @example 1GB
             */
            max_buffer_bytes: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description Time between two health checks of the bucket.
             * @default 15s
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            health_check_interval: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description The most random time that is added to the interval.
             * @default 0s
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            health_check_interval_jitter: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description A health check that takes longer than this has failed.
             * @default 1m
             * @example 15s
             * @example infinity
             */
            health_check_timeout: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description The longest wait between two tries of a request.
             * @default 20s
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            resume_interval: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description How long a row is tried that the store refuses without saying why, while it takes other objects in the same bucket; then it is a dead letter.
             * @default 3m
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            row_patience: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description Without effect: each partition has its own task.
             * @default 16
             */
            worker_pool_size: number | components["schemas"]["Settings.reference"];
            /**
             * @description Without effect: rows are always distributed by clientid, through Kafka's partitions.
             * @default per_clientid
             */
            dispatch_strategy: ("per_clientid" | "random") | components["schemas"]["Settings.reference"];
            /**
             * @description Without effect: a row waits until it is written and never expires.
             * @default infinity
             * @example 15s
             * @example infinity
             */
            request_ttl: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description Without effect: a Kafka fetch is a batch; 1 in direct mode.
             * @default 100
             */
            batch_size: number | components["schemas"]["Settings.reference"];
            /**
             * @description Without effect: a Kafka fetch is a batch; 0 in direct mode.
             * @default 10ms
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            batch_time: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description Without effect: Kafka is the buffer.
             * @default memory_only
             */
            buffer_mode: ("memory_only" | "volatile_offload") | components["schemas"]["Settings.reference"];
            /** @description Without effect: Kafka is the buffer. */
            buffer_seg_bytes?: (string | number | components["schemas"]["Settings.reference"]) | null;
            /**
             * @description Without effect: counters are always current.
             * @default 5s
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            metrics_flush_interval: string | number | components["schemas"]["Settings.reference"];
            /**
             * @deprecated
             * @description The most PUTs under way at once for each partition (direct). Each client always has at most one.
             * @default 100
             */
            async_inflight_window: number | components["schemas"]["Settings.reference"];
            /**
             * @deprecated
             * @description The most bytes that the action holds in one worker, rows included as they are made. At this bound the worker stops fetching and drops nothing.
             * @default 256MB
             * @example 64KB
             * @example 5MB
             * @example 1GB
             */
            max_queue_bytes: string | number | components["schemas"]["Settings.reference"];
            /**
             * @deprecated
             * @description Without effect: a row waits until it is written and never expires.
             * @default infinity
             * @example 15s
             * @example infinity
             */
            request_timeout: string | number | components["schemas"]["Settings.reference"];
        };
        /**
         * Rule
         * @description An SQL statement and the actions that get its rows.
         */
        "Settings.Rule": {
            /** @description The SQL statement. */
            sql: string;
            /** @description Actions as "type:name", such as "s3:raw". */
            actions?: string[];
            /**
             * @description Whether the rule runs.
             * @default true
             */
            enable: boolean | components["schemas"]["Settings.reference"];
            /**
             * @description Description for people, without effect.
             * @default
             */
            description: string;
        };
        /**
         * S3Action
         * @description A named way to write the rows of rules: a connector with keys, buckets and contents.
         */
        "Settings.S3Action": {
            /** @description Name of an S3 connector. */
            connector: string;
            /** @description Direct or aggregated upload. */
            parameters: components["schemas"]["Settings.DirectParameters"] | components["schemas"]["Settings.AggregatedParameters"];
            /** @description Limits and health checks of the action. */
            resource_opts?: components["schemas"]["Settings.ResourceOpts"];
            /** @description Without effect: nothing is dropped. Rows that can never be written are in the dead letter topic, and `tidegate dead-letter redrive` sends them again. */
            fallback_actions?: {
                [key: string]: unknown;
            }[];
            /**
             * @description Whether the action runs. If false, it reads nothing and keeps its offsets.
             * @default true
             */
            enable: boolean | components["schemas"]["Settings.reference"];
            /**
             * @description Description for people, without effect.
             * @default
             */
            description: string;
            /** @description Description for people, without effect. */
            tags?: string[];
        };
        /**
         * S3Connector
         * @description One S3-compatible endpoint with its credentials. Actions share it.
         */
        "Settings.S3Connector": {
            /** @description Host name, without scheme or path. */
            host: string;
            /**
             * @description TCP port.
             * @default 443
             */
            port: number | components["schemas"]["Settings.reference"];
            /**
             * @description Region for signing. Default: the region in an AWS host name, else us-east-1.
             * @default
             */
            region: string;
            /** @description Access key. Without it, credentials come from the environment or the machine's role. */
            access_key_id?: string | null;
            /** @description Secret key: text, ${NAME} or file:///path. */
            secret_access_key?: string | null;
            /**
             * @description Form of URLs. path: host/bucket/key. vhost: bucket.host/key.
             * @default path
             */
            access_method: ("path" | "vhost") | components["schemas"]["Settings.reference"];
            transport_options?: components["schemas"]["Settings.TransportOptions"];
            /** @description Accepted for compatibility with EMQX. */
            resource_opts?: components["schemas"]["Settings.ConnectorResourceOpts"];
            /**
             * @description Whether the connector may be used. If false, its actions do not run.
             * @default true
             */
            enable: boolean | components["schemas"]["Settings.reference"];
            /**
             * @description Description for people, without effect.
             * @default
             */
            description: string;
            /** @description Description for people, without effect. */
            tags?: string[];
        };
        /**
         * S3Tls
         * @description TLS to a store. A setting for a file also takes PEM text.
         */
        "Settings.S3Tls": {
            /**
             * @description Use TLS.
             * @default true
             */
            enable: boolean | components["schemas"]["Settings.reference"];
            /**
             * @description Check the server's certificate.
             * @default verify_peer
             */
            verify: ("verify_peer" | "verify_none") | components["schemas"]["Settings.reference"];
            /** @description PEM file of the trusted certificate authorities. Default: those of the system. */
            cacertfile?: string | null;
            /** @description PEM file of our own certificate and of the certificates of its issuers. */
            certfile?: string | null;
            /** @description PEM file of the private key, or its text, ${NAME} or file:///path. */
            keyfile?: string | null;
            /** @description Password of the private key: text, ${NAME} or file:///path. */
            password?: string | null;
            /** @description Allowed versions of TLS. */
            versions?: (("tlsv1.3" | "tlsv1.2") | components["schemas"]["Settings.reference"])[];
            /** @description Ciphers of TLS 1.2, with OpenSSL's names. Default: OpenSSL's choice. */
            ciphers?: string[];
            /** @description Server name for SNI and for the check of the certificate. Default: the host. `disable`: no SNI and no check of the name. */
            server_name_indication?: string | null;
            /**
             * @description Trust an authority in cacertfile even if it is not a root.
             * @default false
             */
            partial_chain: boolean | components["schemas"]["Settings.reference"];
            /**
             * @description Without effect: a chain of certificates may be as long as OpenSSL allows.
             * @default 10
             */
            depth: number | components["schemas"]["Settings.reference"];
            /**
             * @description Without effect: OpenSSL renegotiates securely or not at all.
             * @default true
             */
            secure_renegotiate: boolean | components["schemas"]["Settings.reference"];
            /**
             * @description Without effect: connections are kept open instead.
             * @default false
             */
            reuse_sessions: boolean | components["schemas"]["Settings.reference"];
            /** @description Without effect: pre-shared keys are not supported. */
            user_lookup_fun?: string | null;
            /**
             * @description Without effect: a TLS error is the reason of a failed request.
             * @default notice
             */
            log_level: string;
            /**
             * @description Without effect: connections have no processes of their own.
             * @default 5s
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            hibernate_after: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description Without effect: the certificate of a store must always be a server certificate.
             * @default false
             */
            verify_peer_ext_key_usage: (boolean | components["schemas"]["Settings.reference"]) | string;
            /**
             * @description Without effect: this mode is always on.
             * @default true
             */
            middlebox_comp_mode: boolean | components["schemas"]["Settings.reference"];
        };
        /**
         * Schema
         * @description A schema for schema_encode, schema_decode and schema_check in rules.
         */
        "Settings.Schema": {
            /** @description Language of `source`. */
            type: ("json" | "avro" | "protobuf") | components["schemas"]["Settings.reference"];
            /** @description The schema itself: JSON Schema, an Avro schema, or the text of a .proto file. */
            source: string;
        };
        /**
         * ServerTls
         * @description TLS of a port that others connect to.
         */
        "Settings.ServerTls": {
            /**
             * @description Use TLS.
             * @default false
             */
            enable: boolean | components["schemas"]["Settings.reference"];
            /** @description PEM file of our own certificate and of the certificates of its issuers. */
            certfile?: string | null;
            /** @description PEM file of the private key. */
            keyfile?: string | null;
            /** @description PEM file of certificate authorities. If it is set, a client must show a certificate from one of them. */
            cacertfile?: string | null;
        };
        /**
         * Sources
         * @description Where messages enter.
         */
        "Settings.Sources": {
            /** @description MQTT brokers by name. */
            mqtt?: {
                [key: string]: components["schemas"]["Settings.MqttSource"];
            };
            /** @description Ports for EMQX's ExHook, by name. */
            exhook?: {
                [key: string]: components["schemas"]["Settings.ExHookSource"];
            };
            /** @description Ports for devices that publish directly to the ingress, by name. */
            listener?: {
                [key: string]: components["schemas"]["Settings.ListenerSource"];
            };
        };
        /**
         * StatusTopic
         * @description A convention of birth messages and last wills.
         *
         *     A device reports that it is online; the broker reports that it is gone.
         */
        "Settings.StatusTopic": {
            /** @description Topic template with {clientid} as one level, such as status/{clientid}. */
            topic: string;
            /**
             * @description Payload of a birth message.
             * @default online
             */
            online: string;
            /**
             * @description Payload of a last will and of a goodbye message.
             * @default offline
             */
            offline: string;
        };
        /**
         * TransportOptions
         * @description Settings of requests to the store.
         */
        "Settings.TransportOptions": {
            /** @description TLS. On by default. */
            ssl?: components["schemas"]["Settings.S3Tls"];
            /**
             * @description The longest wait for a connection.
             * @default 15s
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            connect_timeout: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description The longest wait for the answer to one request.
             * @default 30s
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            request_timeout: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description The most connections of one worker.
             * @default 64
             */
            pool_size: number | components["schemas"]["Settings.reference"];
            /** @description Headers of each PUT and of the requests of an upload in parts. Headers of an action take precedence. Values: text, ${NAME} or file:///path. */
            headers?: {
                [key: string]: string;
            };
            /**
             * @description Immediate retries of one request before its action counts as disconnected. Retries then go on without end.
             * @default 2
             */
            max_retries: number | components["schemas"]["Settings.reference"];
            /**
             * @description Without effect: IPv6 and IPv4 are tried side by side (RFC 8305), IPv6 first.
             * @default false
             */
            ipv6_probe: boolean | components["schemas"]["Settings.reference"];
            /**
             * @description Without effect: a free connection takes the next request.
             * @default random
             */
            pool_type: ("random" | "hash") | components["schemas"]["Settings.reference"];
            /** @description Without effect: requests are not pipelined, as in EMQX since 5.8.2. */
            enable_pipelining?: (number | components["schemas"]["Settings.reference"]) | (boolean | components["schemas"]["Settings.reference"]) | null;
        };
        Source: {
            /** @constant */
            type: "mqtt";
            name: string;
            /**
             * @description Whether the source runs.
             * @default true
             */
            enable: boolean | components["schemas"]["Settings.reference"];
            /** @enum {unknown} */
            status: "connected" | "connecting" | "disconnected" | "stopped" | "inconsistent";
            status_reason: string;
            node_status: {
                node: string;
                status: string;
                status_reason: string;
            }[];
            created_at: number;
            last_modified_at: number;
            rules: string[];
            /** @constant */
            resource_opts?: Record<string, never>;
            /**
             * @description Description for people, without effect.
             * @default
             */
            description: string;
            /** @description host:port of the broker. */
            server: string;
            /** @description Topic filters to subscribe to. */
            topics: string[];
            /**
             * @description QoS of the subscription. QoS 1 loses nothing, so 2 is not offered.
             * @default 1
             */
            qos: (0 | 1) | components["schemas"]["Settings.reference"];
            /**
             * @description Clientid of the ingress. Default: tidegate-<pipeline>-<name>.
             * @default
             */
            clientid: string;
            /**
             * @description MQTT version.
             * @default 5
             */
            protocol: ("5" | "3.1.1") | components["schemas"]["Settings.reference"];
            /** @description User name at the broker. */
            username?: string | null;
            /** @description Password: text, ${NAME} or file:///path. */
            password?: string | null;
            /** @description TLS to the broker. */
            ssl?: components["schemas"]["Settings.ClientTls"];
            /**
             * @description Transport of the MQTT connection.
             * @default tcp
             */
            transport: ("tcp" | "websockets") | components["schemas"]["Settings.reference"];
            /**
             * @description Path of the WebSocket.
             * @default /mqtt
             */
            websocket_path: string | components["schemas"]["Settings.reference"];
            /**
             * @description MQTT keep-alive.
             * @default 1m
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            keepalive: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description How long the broker keeps the session while the ingress is away.
             * @default 1d
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            session_expiry: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description The most messages received and not yet acknowledged.
             * @default 1000
             */
            window: number | components["schemas"]["Settings.reference"];
            /**
             * @description The most bytes received and not yet in Kafka. One read may exceed this.
             * @default 64MB
             * @example 64KB
             * @example 5MB
             * @example 1GB
             */
            window_bytes: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description Several processes may have this source. Only one connects; another takes over when it is gone.
             * @default false
             */
            standby: boolean | components["schemas"]["Settings.reference"];
            /** @description Ways to find the publisher's clientid, tried in this order. Without any, the topic is the key. */
            clientid_from?: components["schemas"]["Settings.ClientidFrom"][];
            /**
             * @description Refuse ways in which a device can claim any clientid: payload fields.
             * @default false
             */
            strict_clientid: boolean | components["schemas"]["Settings.reference"];
            /**
             * @description Which retained messages to take: first: those of a new session; always: those of each connection; never: none.
             * @default first
             */
            retained: ("first" | "always" | "never") | components["schemas"]["Settings.reference"];
            /** @description Adapters that make client events from this broker's own status topics. */
            events?: (("mosquitto_log" | "emqx_sys" | "nanomq_status" | "aws_presence") | components["schemas"]["Settings.reference"])[];
            /** @description Birth messages and last wills of devices, which become client events. */
            status_topic?: components["schemas"]["Settings.StatusTopic"] | null;
            /**
             * @description Keep the names that metrics of Sparkplug B get in births, so that spb_decode() can give them to metrics that come with an alias only.
             * @default false
             */
            sparkplug_aliases: boolean | components["schemas"]["Settings.reference"];
        } | {
            /** @constant */
            type: "exhook";
            name: string;
            /**
             * @description Whether the source runs.
             * @default true
             */
            enable: boolean | components["schemas"]["Settings.reference"];
            /** @enum {unknown} */
            status: "connected" | "connecting" | "disconnected" | "stopped" | "inconsistent";
            status_reason: string;
            node_status: {
                node: string;
                status: string;
                status_reason: string;
            }[];
            created_at: number;
            last_modified_at: number;
            rules: string[];
            /** @constant */
            resource_opts?: Record<string, never>;
            /**
             * @description Description for people, without effect.
             * @default
             */
            description: string;
            /**
             * @description host:port to listen on (gRPC).
             * @default 127.0.0.1:9000
             */
            bind: string;
            /**
             * @description Events to take from EMQX.
             * @default [
             *       "client.connected",
             *       "client.disconnected",
             *       "session.created",
             *       "session.subscribed",
             *       "session.unsubscribed",
             *       "session.resumed",
             *       "session.discarded",
             *       "session.takenover",
             *       "session.terminated"
             *     ]
             */
            events: (("client.connack" | "client.connected" | "client.disconnected" | "session.created" | "session.subscribed" | "session.unsubscribed" | "session.resumed" | "session.discarded" | "session.takenover" | "session.terminated" | "message.delivered" | "message.acked" | "message.dropped") | components["schemas"]["Settings.reference"])[];
            /** @description Topic filters of messages to take from EMQX; empty: no messages. If a source in `mqtt` takes the same message, it is in Kafka twice. */
            messages?: string[];
            /**
             * @description The most records that wait for Kafka.
             * @default 10000
             */
            buffer_records: number | components["schemas"]["Settings.reference"];
            /**
             * @description The most bytes that wait for Kafka. One call may exceed this.
             * @default 64MB
             * @example 64KB
             * @example 5MB
             * @example 1GB
             */
            buffer_bytes: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description drop: when the buffer is full, drop and count records. wait: let EMQX wait, and its client with it. Calls that wait hold at most buffer_bytes; a further one does not wait.
             * @default drop
             */
            when_full: ("drop" | "wait") | components["schemas"]["Settings.reference"];
            /**
             * @description The longest time that EMQX waits before the record is dropped. Keep it below EMQX's request_timeout.
             * @default 4s
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            wait_timeout: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description Keep the names that metrics of Sparkplug B get in births, so that spb_decode() can give them to metrics that come with an alias only.
             * @default false
             */
            sparkplug_aliases: boolean | components["schemas"]["Settings.reference"];
            /** @description TLS of this port. */
            ssl?: components["schemas"]["Settings.ServerTls"];
        } | {
            /** @constant */
            type: "listener";
            name: string;
            /**
             * @description Whether the source runs.
             * @default true
             */
            enable: boolean | components["schemas"]["Settings.reference"];
            /** @enum {unknown} */
            status: "connected" | "connecting" | "disconnected" | "stopped" | "inconsistent";
            status_reason: string;
            node_status: {
                node: string;
                status: string;
                status_reason: string;
            }[];
            created_at: number;
            last_modified_at: number;
            rules: string[];
            /** @constant */
            resource_opts?: Record<string, never>;
            /**
             * @description Description for people, without effect.
             * @default
             */
            description: string;
            /**
             * @description host:port to listen on.
             * @default 127.0.0.1:1883
             */
            bind: string;
            /**
             * @description Transport of MQTT on this port. With ssl, WebSocket is wss.
             * @default tcp
             */
            transport: ("tcp" | "websockets") | components["schemas"]["Settings.reference"];
            /**
             * @description Path of the WebSocket.
             * @default /mqtt
             */
            websocket_path: string | components["schemas"]["Settings.reference"];
            /** @description Topic filters that a client may publish to. %c stands for its clientid and %u for its user name, if these do not contain / + #. */
            topics: string[];
            /**
             * @description password: users of `password_file`. certificate: the user name is the common name of the client's certificate; needs ssl.cacertfile. none: every client may connect, and its user name is not checked.
             * @default password
             */
            authentication: ("password" | "certificate" | "none") | components["schemas"]["Settings.reference"];
            /** @description File with lines of user:hash, from `tidegate password` or mosquitto_passwd or with bcrypt, or a bootstrap file of EMQX's built-in database (CSV or JSON). It is read again when it changes. */
            password_file?: string | null;
            /**
             * @description Refuse clients whose clientid is not their user name, so that no client can use the clientid of another. Without it, %c in `topics` protects nothing, and `tidegate check` warns.
             * @default false
             */
            clientid_is_username: boolean | components["schemas"]["Settings.reference"];
            /** @description Ways to find the publisher of a message from a gateway or bridge, tried in this order. If none gives a clientid, it is that of the connection. */
            clientid_from?: components["schemas"]["Settings.ClientidFrom"][];
            /** @description Clients whose messages `clientid_from` looks into: their user names, or with authentication: none their clientids. Without any, it looks into the messages of each client. */
            gateways?: string[];
            /**
             * @description The most connections at the same time. Further connections are closed.
             * @default 10000
             */
            max_connections: number | components["schemas"]["Settings.reference"];
            /** @description The most connections of one IPv4 address, or of one /64 network of IPv6. Not limited by default, because a load balancer or NAT has one address for many clients. */
            max_connections_per_address?: (number | components["schemas"]["Settings.reference"]) | null;
            /**
             * @description How long a login may take, with TLS and the check of the password.
             * @default 10s
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            connect_timeout: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description The largest packet of a client.
             * @default 1MB
             * @example 64KB
             * @example 5MB
             * @example 1GB
             */
            max_packet_size: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description The most unacknowledged messages of one client: the receive maximum of MQTT 5.
             * @default 1000
             */
            window: number | components["schemas"]["Settings.reference"];
            /**
             * @description The most packets of one client in a second that bring no message, such as PINGREQ, and messages to topics that are not allowed. Ten times as many may come at once. The listener does not read from a client beyond it, and ends the connection after 30 s of that.
             * @default 100
             */
            control_packets_per_second: number | components["schemas"]["Settings.reference"];
            /**
             * @description The longest keep-alive. MQTT 5 clients that ask for a longer one, or for none, get this one.
             * @default 1h
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            keepalive_max: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description How long the listener remembers, at most, which messages of QoS 2 a client without a connection has sent, so that none is taken twice. MQTT 5 clients may ask for less; a client with a clean session is not remembered.
             * @default 2h
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            session_expiry_max: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description The longest delay of a will after its client is gone.
             * @default 5m
             * @example 500ms
             * @example 15s
             * @example 1h30m
             */
            will_delay_max: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description The most records of all clients that wait for Kafka. When they are reached, the listener stops reading.
             * @default 100000
             */
            buffer_records: number | components["schemas"]["Settings.reference"];
            /**
             * @description The most bytes of all clients that wait for Kafka. Messages that were already read may exceed this.
             * @default 64MB
             * @example 64KB
             * @example 5MB
             * @example 1GB
             */
            buffer_bytes: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description The most bytes of unfinished packets, wills and topic aliases of all clients together. Beyond it, the client that holds most is disconnected. There is always room for two packets of max_packet_size.
             * @default 64MB
             * @example 64KB
             * @example 5MB
             * @example 1GB
             */
            held_bytes: string | number | components["schemas"]["Settings.reference"];
            /**
             * @description Keep the names that metrics of Sparkplug B get in births, so that spb_decode() can give them to metrics that come with an alias only.
             * @default false
             */
            sparkplug_aliases: boolean | components["schemas"]["Settings.reference"];
            /** @description TLS of this port. */
            ssl?: components["schemas"]["Settings.ServerTls"];
        };
        SourceSettings: {
            mqtt?: {
                [key: string]: {
                    /** @constant */
                    resource_opts?: Record<string, never>;
                    /**
                     * @description Whether the source runs.
                     * @default true
                     */
                    enable: boolean | components["schemas"]["Settings.reference"];
                    /**
                     * @description Description for people, without effect.
                     * @default
                     */
                    description: string;
                    /** @description host:port of the broker. */
                    server: string;
                    /** @description Topic filters to subscribe to. */
                    topics: string[];
                    /**
                     * @description QoS of the subscription. QoS 1 loses nothing, so 2 is not offered.
                     * @default 1
                     */
                    qos: (0 | 1) | components["schemas"]["Settings.reference"];
                    /**
                     * @description Clientid of the ingress. Default: tidegate-<pipeline>-<name>.
                     * @default
                     */
                    clientid: string;
                    /**
                     * @description MQTT version.
                     * @default 5
                     */
                    protocol: ("5" | "3.1.1") | components["schemas"]["Settings.reference"];
                    /** @description User name at the broker. */
                    username?: string | null;
                    /** @description Password: text, ${NAME} or file:///path. */
                    password?: string | null;
                    /** @description TLS to the broker. */
                    ssl?: components["schemas"]["Settings.ClientTls"];
                    /**
                     * @description Transport of the MQTT connection.
                     * @default tcp
                     */
                    transport: ("tcp" | "websockets") | components["schemas"]["Settings.reference"];
                    /**
                     * @description Path of the WebSocket.
                     * @default /mqtt
                     */
                    websocket_path: string | components["schemas"]["Settings.reference"];
                    /**
                     * @description MQTT keep-alive.
                     * @default 1m
                     * @example 500ms
                     * @example 15s
                     * @example 1h30m
                     */
                    keepalive: string | number | components["schemas"]["Settings.reference"];
                    /**
                     * @description How long the broker keeps the session while the ingress is away.
                     * @default 1d
                     * @example 500ms
                     * @example 15s
                     * @example 1h30m
                     */
                    session_expiry: string | number | components["schemas"]["Settings.reference"];
                    /**
                     * @description The most messages received and not yet acknowledged.
                     * @default 1000
                     */
                    window: number | components["schemas"]["Settings.reference"];
                    /**
                     * @description The most bytes received and not yet in Kafka. One read may exceed this.
                     * @default 64MB
                     * @example 64KB
                     * @example 5MB
                     * @example 1GB
                     */
                    window_bytes: string | number | components["schemas"]["Settings.reference"];
                    /**
                     * @description Several processes may have this source. Only one connects; another takes over when it is gone.
                     * @default false
                     */
                    standby: boolean | components["schemas"]["Settings.reference"];
                    /** @description Ways to find the publisher's clientid, tried in this order. Without any, the topic is the key. */
                    clientid_from?: components["schemas"]["Settings.ClientidFrom"][];
                    /**
                     * @description Refuse ways in which a device can claim any clientid: payload fields.
                     * @default false
                     */
                    strict_clientid: boolean | components["schemas"]["Settings.reference"];
                    /**
                     * @description Which retained messages to take: first: those of a new session; always: those of each connection; never: none.
                     * @default first
                     */
                    retained: ("first" | "always" | "never") | components["schemas"]["Settings.reference"];
                    /** @description Adapters that make client events from this broker's own status topics. */
                    events?: (("mosquitto_log" | "emqx_sys" | "nanomq_status" | "aws_presence") | components["schemas"]["Settings.reference"])[];
                    /** @description Birth messages and last wills of devices, which become client events. */
                    status_topic?: components["schemas"]["Settings.StatusTopic"] | null;
                    /**
                     * @description Keep the names that metrics of Sparkplug B get in births, so that spb_decode() can give them to metrics that come with an alias only.
                     * @default false
                     */
                    sparkplug_aliases: boolean | components["schemas"]["Settings.reference"];
                };
            };
            exhook?: {
                [key: string]: {
                    /** @constant */
                    resource_opts?: Record<string, never>;
                    /**
                     * @description Whether the source runs.
                     * @default true
                     */
                    enable: boolean | components["schemas"]["Settings.reference"];
                    /**
                     * @description Description for people, without effect.
                     * @default
                     */
                    description: string;
                    /**
                     * @description host:port to listen on (gRPC).
                     * @default 127.0.0.1:9000
                     */
                    bind: string;
                    /**
                     * @description Events to take from EMQX.
                     * @default [
                     *       "client.connected",
                     *       "client.disconnected",
                     *       "session.created",
                     *       "session.subscribed",
                     *       "session.unsubscribed",
                     *       "session.resumed",
                     *       "session.discarded",
                     *       "session.takenover",
                     *       "session.terminated"
                     *     ]
                     */
                    events: (("client.connack" | "client.connected" | "client.disconnected" | "session.created" | "session.subscribed" | "session.unsubscribed" | "session.resumed" | "session.discarded" | "session.takenover" | "session.terminated" | "message.delivered" | "message.acked" | "message.dropped") | components["schemas"]["Settings.reference"])[];
                    /** @description Topic filters of messages to take from EMQX; empty: no messages. If a source in `mqtt` takes the same message, it is in Kafka twice. */
                    messages?: string[];
                    /**
                     * @description The most records that wait for Kafka.
                     * @default 10000
                     */
                    buffer_records: number | components["schemas"]["Settings.reference"];
                    /**
                     * @description The most bytes that wait for Kafka. One call may exceed this.
                     * @default 64MB
                     * @example 64KB
                     * @example 5MB
                     * @example 1GB
                     */
                    buffer_bytes: string | number | components["schemas"]["Settings.reference"];
                    /**
                     * @description drop: when the buffer is full, drop and count records. wait: let EMQX wait, and its client with it. Calls that wait hold at most buffer_bytes; a further one does not wait.
                     * @default drop
                     */
                    when_full: ("drop" | "wait") | components["schemas"]["Settings.reference"];
                    /**
                     * @description The longest time that EMQX waits before the record is dropped. Keep it below EMQX's request_timeout.
                     * @default 4s
                     * @example 500ms
                     * @example 15s
                     * @example 1h30m
                     */
                    wait_timeout: string | number | components["schemas"]["Settings.reference"];
                    /**
                     * @description Keep the names that metrics of Sparkplug B get in births, so that spb_decode() can give them to metrics that come with an alias only.
                     * @default false
                     */
                    sparkplug_aliases: boolean | components["schemas"]["Settings.reference"];
                    /** @description TLS of this port. */
                    ssl?: components["schemas"]["Settings.ServerTls"];
                };
            };
            listener?: {
                [key: string]: {
                    /** @constant */
                    resource_opts?: Record<string, never>;
                    /**
                     * @description Whether the source runs.
                     * @default true
                     */
                    enable: boolean | components["schemas"]["Settings.reference"];
                    /**
                     * @description Description for people, without effect.
                     * @default
                     */
                    description: string;
                    /**
                     * @description host:port to listen on.
                     * @default 127.0.0.1:1883
                     */
                    bind: string;
                    /**
                     * @description Transport of MQTT on this port. With ssl, WebSocket is wss.
                     * @default tcp
                     */
                    transport: ("tcp" | "websockets") | components["schemas"]["Settings.reference"];
                    /**
                     * @description Path of the WebSocket.
                     * @default /mqtt
                     */
                    websocket_path: string | components["schemas"]["Settings.reference"];
                    /** @description Topic filters that a client may publish to. %c stands for its clientid and %u for its user name, if these do not contain / + #. */
                    topics: string[];
                    /**
                     * @description password: users of `password_file`. certificate: the user name is the common name of the client's certificate; needs ssl.cacertfile. none: every client may connect, and its user name is not checked.
                     * @default password
                     */
                    authentication: ("password" | "certificate" | "none") | components["schemas"]["Settings.reference"];
                    /** @description File with lines of user:hash, from `tidegate password` or mosquitto_passwd or with bcrypt, or a bootstrap file of EMQX's built-in database (CSV or JSON). It is read again when it changes. */
                    password_file?: string | null;
                    /**
                     * @description Refuse clients whose clientid is not their user name, so that no client can use the clientid of another. Without it, %c in `topics` protects nothing, and `tidegate check` warns.
                     * @default false
                     */
                    clientid_is_username: boolean | components["schemas"]["Settings.reference"];
                    /** @description Ways to find the publisher of a message from a gateway or bridge, tried in this order. If none gives a clientid, it is that of the connection. */
                    clientid_from?: components["schemas"]["Settings.ClientidFrom"][];
                    /** @description Clients whose messages `clientid_from` looks into: their user names, or with authentication: none their clientids. Without any, it looks into the messages of each client. */
                    gateways?: string[];
                    /**
                     * @description The most connections at the same time. Further connections are closed.
                     * @default 10000
                     */
                    max_connections: number | components["schemas"]["Settings.reference"];
                    /** @description The most connections of one IPv4 address, or of one /64 network of IPv6. Not limited by default, because a load balancer or NAT has one address for many clients. */
                    max_connections_per_address?: (number | components["schemas"]["Settings.reference"]) | null;
                    /**
                     * @description How long a login may take, with TLS and the check of the password.
                     * @default 10s
                     * @example 500ms
                     * @example 15s
                     * @example 1h30m
                     */
                    connect_timeout: string | number | components["schemas"]["Settings.reference"];
                    /**
                     * @description The largest packet of a client.
                     * @default 1MB
                     * @example 64KB
                     * @example 5MB
                     * @example 1GB
                     */
                    max_packet_size: string | number | components["schemas"]["Settings.reference"];
                    /**
                     * @description The most unacknowledged messages of one client: the receive maximum of MQTT 5.
                     * @default 1000
                     */
                    window: number | components["schemas"]["Settings.reference"];
                    /**
                     * @description The most packets of one client in a second that bring no message, such as PINGREQ, and messages to topics that are not allowed. Ten times as many may come at once. The listener does not read from a client beyond it, and ends the connection after 30 s of that.
                     * @default 100
                     */
                    control_packets_per_second: number | components["schemas"]["Settings.reference"];
                    /**
                     * @description The longest keep-alive. MQTT 5 clients that ask for a longer one, or for none, get this one.
                     * @default 1h
                     * @example 500ms
                     * @example 15s
                     * @example 1h30m
                     */
                    keepalive_max: string | number | components["schemas"]["Settings.reference"];
                    /**
                     * @description How long the listener remembers, at most, which messages of QoS 2 a client without a connection has sent, so that none is taken twice. MQTT 5 clients may ask for less; a client with a clean session is not remembered.
                     * @default 2h
                     * @example 500ms
                     * @example 15s
                     * @example 1h30m
                     */
                    session_expiry_max: string | number | components["schemas"]["Settings.reference"];
                    /**
                     * @description The longest delay of a will after its client is gone.
                     * @default 5m
                     * @example 500ms
                     * @example 15s
                     * @example 1h30m
                     */
                    will_delay_max: string | number | components["schemas"]["Settings.reference"];
                    /**
                     * @description The most records of all clients that wait for Kafka. When they are reached, the listener stops reading.
                     * @default 100000
                     */
                    buffer_records: number | components["schemas"]["Settings.reference"];
                    /**
                     * @description The most bytes of all clients that wait for Kafka. Messages that were already read may exceed this.
                     * @default 64MB
                     * @example 64KB
                     * @example 5MB
                     * @example 1GB
                     */
                    buffer_bytes: string | number | components["schemas"]["Settings.reference"];
                    /**
                     * @description The most bytes of unfinished packets, wills and topic aliases of all clients together. Beyond it, the client that holds most is disconnected. There is always room for two packets of max_packet_size.
                     * @default 64MB
                     * @example 64KB
                     * @example 5MB
                     * @example 1GB
                     */
                    held_bytes: string | number | components["schemas"]["Settings.reference"];
                    /**
                     * @description Keep the names that metrics of Sparkplug B get in births, so that spb_decode() can give them to metrics that come with an alias only.
                     * @default false
                     */
                    sparkplug_aliases: boolean | components["schemas"]["Settings.reference"];
                    /** @description TLS of this port. */
                    ssl?: components["schemas"]["Settings.ServerTls"];
                };
            };
        };
        /** @description One S3-compatible endpoint with its credentials. Actions share it. */
        Connector: {
            /** @constant */
            type: "s3";
            name: string;
            /**
             * @description Whether the connector may be used. If false, its actions do not run.
             * @default true
             */
            enable: boolean | components["schemas"]["Settings.reference"];
            /** @enum {unknown} */
            status: "connected" | "connecting" | "disconnected" | "stopped" | "inconsistent";
            status_reason: string;
            node_status: {
                node: string;
                status: string;
                status_reason: string;
            }[];
            created_at: number;
            last_modified_at: number;
            actions: string[];
            sources: string[];
            /** @description Host name, without scheme or path. */
            host: string;
            /**
             * @description TCP port.
             * @default 443
             */
            port: number | components["schemas"]["Settings.reference"];
            /**
             * @description Region for signing. Default: the region in an AWS host name, else us-east-1.
             * @default
             */
            region: string;
            /** @description Access key. Without it, credentials come from the environment or the machine's role. */
            access_key_id?: string | null;
            /** @description Secret key: text, ${NAME} or file:///path. */
            secret_access_key?: string | null;
            /**
             * @description Form of URLs. path: host/bucket/key. vhost: bucket.host/key.
             * @default path
             */
            access_method: ("path" | "vhost") | components["schemas"]["Settings.reference"];
            transport_options?: components["schemas"]["Settings.TransportOptions"];
            /** @description Accepted for compatibility with EMQX. */
            resource_opts?: components["schemas"]["Settings.ConnectorResourceOpts"];
            /**
             * @description Description for people, without effect.
             * @default
             */
            description: string;
            /** @description Description for people, without effect. */
            tags?: string[];
        };
        ConnectorSettings: {
            s3?: {
                [key: string]: {
                    /** @description Host name, without scheme or path. */
                    host: string;
                    /**
                     * @description TCP port.
                     * @default 443
                     */
                    port: number | components["schemas"]["Settings.reference"];
                    /**
                     * @description Region for signing. Default: the region in an AWS host name, else us-east-1.
                     * @default
                     */
                    region: string;
                    /** @description Access key. Without it, credentials come from the environment or the machine's role. */
                    access_key_id?: string | null;
                    /** @description Secret key: text, ${NAME} or file:///path. */
                    secret_access_key?: string | null;
                    /**
                     * @description Form of URLs. path: host/bucket/key. vhost: bucket.host/key.
                     * @default path
                     */
                    access_method: ("path" | "vhost") | components["schemas"]["Settings.reference"];
                    transport_options?: components["schemas"]["Settings.TransportOptions"];
                    /** @description Accepted for compatibility with EMQX. */
                    resource_opts?: components["schemas"]["Settings.ConnectorResourceOpts"];
                    /**
                     * @description Whether the connector may be used. If false, its actions do not run.
                     * @default true
                     */
                    enable: boolean | components["schemas"]["Settings.reference"];
                    /**
                     * @description Description for people, without effect.
                     * @default
                     */
                    description: string;
                    /** @description Description for people, without effect. */
                    tags?: string[];
                };
            };
        };
        /** @description A named way to write the rows of rules: a connector with keys, buckets and contents. */
        Action: {
            /** @constant */
            type: "s3";
            name: string;
            /**
             * @description Whether the action runs. If false, it reads nothing and keeps its offsets.
             * @default true
             */
            enable: boolean | components["schemas"]["Settings.reference"];
            /** @enum {unknown} */
            status: "connected" | "connecting" | "disconnected" | "stopped" | "inconsistent";
            status_reason: string;
            node_status: {
                node: string;
                status: string;
                status_reason: string;
            }[];
            created_at: number;
            last_modified_at: number;
            rules: string[];
            /** @description Name of an S3 connector. */
            connector: string;
            /** @description Direct or aggregated upload. */
            parameters: components["schemas"]["Settings.DirectParameters"] | components["schemas"]["Settings.AggregatedParameters"];
            /** @description Limits and health checks of the action. */
            resource_opts?: components["schemas"]["Settings.ResourceOpts"];
            fallback_actions?: {
                [key: string]: unknown;
            }[] | "******";
            /**
             * @description Description for people, without effect.
             * @default
             */
            description: string;
            /** @description Description for people, without effect. */
            tags?: string[];
        };
        ActionSettings: {
            s3?: {
                [key: string]: {
                    /** @description Name of an S3 connector. */
                    connector: string;
                    /** @description Direct or aggregated upload. */
                    parameters: components["schemas"]["Settings.DirectParameters"] | components["schemas"]["Settings.AggregatedParameters"];
                    /** @description Limits and health checks of the action. */
                    resource_opts?: components["schemas"]["Settings.ResourceOpts"];
                    fallback_actions?: {
                        [key: string]: unknown;
                    }[] | "******";
                    /**
                     * @description Whether the action runs. If false, it reads nothing and keeps its offsets.
                     * @default true
                     */
                    enable: boolean | components["schemas"]["Settings.reference"];
                    /**
                     * @description Description for people, without effect.
                     * @default
                     */
                    description: string;
                    /** @description Description for people, without effect. */
                    tags?: string[];
                };
            };
        };
        /** Base64Bytes */
        Base64Bytes: {
            $b64: string;
        };
        /**
         * DirectTotals
         * @description Counts of direct upload.
         */
        DirectTotals: {
            objects: number;
            bytes: number;
            unmarked: number;
        };
        /**
         * FolderObject
         * @description An object in a folder.
         */
        FolderObject: {
            key: string;
            size: number;
            modified: string;
        };
        /**
         * LedgerEntry
         * @description An entry of the ledger: one cut of a partition. `gone`: offsets that Kafka had deleted before they were read.
         */
        LedgerEntry: {
            first: number;
            next: number;
            epoch: number;
            revision: number;
            version: string;
            records: number;
            filtered: number;
            dead_lettered: number;
            absent: number;
            gone: number;
            rows: number;
            objects: number;
            replayed: boolean;
        };
        /**
         * LedgerPage
         * @description Entries of one partition, the newest first. `before` is the offset that asks for the next page.
         */
        LedgerPage: {
            topic: string;
            topic_id: string;
            partition: number;
            data: components["schemas"]["PlacedEntry"][];
            before: number | null;
        };
        /**
         * LeftOutAnswer
         * @description Records that a rule cannot handle: how many, and the first of them as topic/partition/offset.
         */
        LeftOutAnswer: {
            rule: string;
            cause: string;
            records: number;
            first: string;
            arrived_ms: number;
            error: string;
        };
        /**
         * LetterGroup
         * @description So many letters have the same action, rule and cause.
         */
        LetterGroup: {
            action: string;
            rule: string;
            cause: string;
            count: number;
        };
        /**
         * LetterOrigin
         * @description The place of the record in Kafka.
         */
        LetterOrigin: {
            topic: string;
            partition: number;
            offset: number;
        };
        /**
         * Letters
         * @description A page of letters, and the number of all letters that were asked for, in groups.
         */
        Letters: {
            data: components["schemas"]["ListedLetter"][];
            meta: components["schemas"]["PageMeta"];
            groups: components["schemas"]["LetterGroup"][];
        };
        /**
         * ListedLetter
         * @description A dead letter in a list. `row`: which of the rule's rows failed.
         */
        ListedLetter: {
            place: string;
            arrived: number;
            key: string | components["schemas"]["Base64Bytes"];
            action: string;
            rule: string;
            source: string;
            cause: string;
            error: string;
            row: number | null;
            origin: components["schemas"]["LetterOrigin"] | null;
            value_bytes: number;
            copies: number;
            settled: boolean;
        };
        /**
         * ObjectDetails
         * @description One object, the rules that made it, and the entry of the ledger over its rows. Unknown facts are null.
         */
        ObjectDetails: {
            topic: string | null;
            partition: number | null;
            first: number | null;
            last: number | null;
            bucket: string;
            key: string;
            size: number;
            modified: string;
            etag: string;
            content_type: string;
            version: string | null;
            revision: number | null;
            sha256: string | null;
            rows: number | null;
            rules: {
                [key: string]: string;
            } | null;
            entry: components["schemas"]["LedgerEntry"] | null;
            named: boolean;
            unchanged: boolean | null;
            ledger_problem: string;
        };
        /**
         * ObjectPage
         * @description A page of a folder. `next` is the token of the next page.
         */
        ObjectPage: {
            bucket: string;
            prefix: string;
            folders: string[];
            objects: components["schemas"]["FolderObject"][];
            next: string | null;
        };
        /**
         * ObjectPreview
         * @description The first rows of an object. What cannot be read says so in `problem`.
         */
        ObjectPreview: {
            /** @enum {string} */
            form: "json_lines" | "json" | "csv" | "parquet" | "text" | "binary";
            /** @enum {string} */
            compression: "none" | "gzip" | "zstd";
            columns: string[];
            rows: (string | null)[][];
            text: string | null;
            cut: boolean;
            problem: string | null;
        };
        /**
         * OffsetBound
         * @description An end of a range: this offset in each partition.
         */
        OffsetBound: {
            offset: number;
        };
        /**
         * PageMeta
         * @description Which page of a list this is.
         */
        PageMeta: {
            page: number;
            limit: number;
            count: number;
            hasnext: boolean;
        };
        /**
         * PartitionStrip
         * @description The offsets of one partition.
         */
        PartitionStrip: {
            topic: string;
            topic_id: string;
            partition: number;
            first: number;
            next: number;
            total: components["schemas"]["StripRun"];
            runs: components["schemas"]["StripRun"][];
        };
        /**
         * PlacedEntry
         * @description An entry at its key. One that cannot be read says so in `problem`.
         */
        PlacedEntry: {
            key: string;
            entry: components["schemas"]["LedgerEntry"] | null;
            problem: string;
        };
        /**
         * RedriveCounts
         * @description Letters that were sent, that are over because nothing is missing, and that are kept.
         */
        RedriveCounts: {
            sent: number;
            over: number;
            kept: number;
        };
        /**
         * RedriveJob
         * @description A redrive. Lists show it without its result.
         */
        RedriveJob: {
            id: string;
            node: string;
            by: string;
            /** @enum {string} */
            state: "running" | "planned" | "done" | "failed" | "cancelled";
            problem: string;
            doing: string;
            done: number;
            total: number;
            began: number;
            ended: number | null;
            notes: string[];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "redrive";
            wish: components["schemas"]["RedriveWish"];
            result?: components["schemas"]["RedriveResult"];
        };
        /**
         * RedriveResult
         * @description A redrive: what it would do, and what it has done.
         */
        RedriveResult: {
            plan: components["schemas"]["RedriveCounts"] | null;
            sent: components["schemas"]["RedriveCounts"] | null;
        };
        /**
         * RedriveWish
         * @description Which letters to send again.
         */
        RedriveWish: {
            places?: string[];
            action?: string;
            rule?: string;
            cause?: string;
            clientid?: string;
            since?: number;
            again?: boolean;
            unproven?: boolean;
        };
        /**
         * ReplayJob
         * @description A replay. Lists show it without its result.
         */
        ReplayJob: {
            id: string;
            node: string;
            by: string;
            /** @enum {string} */
            state: "running" | "planned" | "done" | "failed" | "cancelled";
            problem: string;
            doing: string;
            done: number;
            total: number;
            began: number;
            ended: number | null;
            notes: string[];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "replay";
            wish: components["schemas"]["ReplayWish"];
            result?: components["schemas"]["ReplayResult"];
        };
        /**
         * ReplayPlan
         * @description What a replay would read and write.
         */
        ReplayPlan: {
            records: number;
            bytes: number;
            rows: number;
            objects: number;
            puts: number;
            where: string;
            spans: components["schemas"]["ReplaySpan"][];
        };
        /**
         * ReplayResult
         * @description A replay. Without a plan, it is still being made.
         */
        ReplayResult: {
            plan: components["schemas"]["ReplayPlan"] | null;
            end: string;
            left_out: components["schemas"]["LeftOutAnswer"][];
        };
        /**
         * ReplaySpan
         * @description Records of one partition, from `first` up to `end`, which is not included.
         */
        ReplaySpan: {
            topic: string;
            partition: number;
            first: number;
            end: number;
        };
        /**
         * ReplayWish
         * @description What to replay. Without `to`: up to now. Without `into`: under the same keys.
         */
        ReplayWish: {
            from: components["schemas"]["OffsetBound"] | components["schemas"]["TimeBound"];
            to?: components["schemas"]["OffsetBound"] | components["schemas"]["TimeBound"] | null;
            action: string;
            partitions?: number[];
            into?: string | null;
        };
        /**
         * StripRun
         * @description Offsets from `first` up to `next`, which is not included. A count that is 0 is absent.
         */
        StripRun: {
            first: number;
            next: number;
            written?: number;
            filtered?: number;
            dead_lettered?: number;
            absent?: number;
            gone?: number;
            missing?: number;
            objects?: number;
            rows?: number;
            entries?: number;
            wrong?: number;
        };
        /**
         * TimeBound
         * @description An end of a range: milliseconds since 1970.
         */
        TimeBound: {
            time: number;
        };
        /**
         * VerifyFinding
         * @description A breach. `key` is the object that it is about.
         */
        VerifyFinding: {
            kind: string;
            key: string;
            text: string;
            meaning: string;
        };
        /**
         * VerifyJob
         * @description A verification. Lists show it without its result.
         */
        VerifyJob: {
            id: string;
            node: string;
            by: string;
            /** @enum {string} */
            state: "running" | "planned" | "done" | "failed" | "cancelled";
            problem: string;
            doing: string;
            done: number;
            total: number;
            began: number;
            ended: number | null;
            notes: string[];
            /**
             * @description discriminator enum property added by openapi-typescript
             * @enum {string}
             */
            kind: "verify";
            wish: components["schemas"]["VerifyWish"];
            result?: components["schemas"]["VerifyResult"];
        };
        /**
         * VerifyResult
         * @description What a verification has found. `found` counts all findings by kind; only so many are in `findings`.
         */
        VerifyResult: {
            totals: components["schemas"]["VerifyTotals"];
            direct: components["schemas"]["DirectTotals"] | null;
            found: {
                [key: string]: number;
            };
            findings: components["schemas"]["VerifyFinding"][];
            strips: components["schemas"]["PartitionStrip"][];
        };
        /**
         * VerifyTotals
         * @description Counts of all partitions.
         */
        VerifyTotals: {
            partitions: number;
            entries: number;
            objects: number;
            rows: number;
            records: number;
            filtered: number;
            dead_lettered: number;
            absent: number;
            gone: number;
        };
        /**
         * VerifyWish
         * @description What to verify. Without partitions: all. `deep` reads each object. `into`: the objects of a replay below this prefix.
         */
        VerifyWish: {
            action: string;
            partitions?: number[];
            deep?: boolean;
            into?: string | null;
        };
        /**
         * WholeLetter
         * @description A dead letter with its record. `fields` are the record's as rules see them, or null if none can read it.
         */
        WholeLetter: {
            place: string;
            arrived: number;
            key: string | components["schemas"]["Base64Bytes"];
            action: string;
            rule: string;
            source: string;
            cause: string;
            error: string;
            row: number | null;
            origin: components["schemas"]["LetterOrigin"] | null;
            value_bytes: number;
            copies: number;
            settled: boolean;
            whole: boolean;
            headers: {
                [key: string]: string | components["schemas"]["Base64Bytes"];
            };
            value: string | components["schemas"]["Base64Bytes"];
            value_cut: boolean;
            fields: {
                [key: string]: unknown;
            } | null;
        };
        Job: components["schemas"]["VerifyJob"] | components["schemas"]["ReplayJob"] | components["schemas"]["RedriveJob"];
        Error: {
            code: string;
            message: string;
            rules?: string[];
            actions?: string[];
            current?: {
                revision: number;
                value: components["schemas"]["StoredValue"];
            };
        };
        Login: {
            token: string;
            role: string;
            version: string;
            license: {
                edition: string;
            };
        };
        ActionSummary: {
            type: string;
            name: string;
            enable: boolean;
            /** @enum {unknown} */
            status: "connected" | "connecting" | "disconnected" | "stopped" | "inconsistent";
            status_reason: string;
            description: string;
            node_status: {
                node: string;
                status: string;
                status_reason: string;
            }[];
            rules: string[];
            connector: string;
            tags: string[];
        };
        SourceSummary: {
            type: string;
            name: string;
            enable: boolean;
            /** @enum {unknown} */
            status: "connected" | "connecting" | "disconnected" | "stopped" | "inconsistent";
            status_reason: string;
            description: string;
            node_status: {
                node: string;
                status: string;
                status_reason: string;
            }[];
            rules: string[];
        };
        Names: string[];
        Metrics: {
            /** @description Counters and rates by their names in EMQX. */
            metrics: {
                [key: string]: number;
            };
            node_metrics: {
                node: string;
                /** @description Counters and rates by their names in EMQX. */
                metrics: {
                    [key: string]: number;
                };
            }[];
            latency?: {
                count: number;
                mean_seconds: number | null;
                p50_seconds: number | null;
                p95_seconds: number | null;
                p99_seconds: number | null;
                /** @description How many took at most so many seconds, by the seconds; the last is +Inf. */
                buckets: {
                    [key: string]: number;
                };
            };
        };
        RuleMetrics: {
            id?: string;
            /** @description Counters and rates by their names in EMQX. */
            metrics: {
                [key: string]: number;
            };
            node_metrics: {
                node: string;
                /** @description Counters and rates by their names in EMQX. */
                metrics: {
                    [key: string]: number;
                };
            }[];
            latency?: {
                count: number;
                mean_seconds: number | null;
                p50_seconds: number | null;
                p95_seconds: number | null;
                p99_seconds: number | null;
                /** @description How many took at most so many seconds, by the seconds; the last is +Inf. */
                buckets: {
                    [key: string]: number;
                };
            };
        };
        Rule: {
            id: string;
            name: string;
            sql: string;
            from: string[];
            actions: string[];
            action_details: {
                type: string;
                name: string;
                status: string;
            }[];
            enable: boolean;
            description: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            last_modified_at: string;
        };
        Rules: {
            data: components["schemas"]["Rule"][];
            meta: {
                page: number;
                limit: number;
                count: number;
                hasnext: boolean;
            };
        };
        Schema: {
            name: string;
            type: string;
            source: string;
            last_modified_at: number;
        };
        User: {
            username: string;
            role: string;
            description: string;
            backend: string;
        };
        ApiKey: {
            name: string;
            api_key: string;
            api_secret?: string;
            role: string;
            desc: string;
            enable: boolean;
            expired: boolean;
            expired_at: string;
            created_at: string;
        };
        Node: {
            node: string;
            node_status: string;
            role: string;
            kind: string;
            version: string;
            edition: string;
            uptime: number;
            revision: number;
            problem: string;
            memory_used?: number;
        };
        Cluster: {
            name: string;
            nodes: string[];
            self: string;
        };
        Current: {
            [key: string]: number;
        };
        Step: {
            time_stamp: number;
            received: number;
            received_bytes: number;
            sent: number;
            sent_bytes: number;
            objects: number;
            dropped: number;
            latency_count: number;
            latency_ms: number;
            connections: number;
            lag: number;
        };
        ObjectStep: {
            time_stamp: number;
            count: number;
            rate: number;
        };
        Changes: {
            data: components["schemas"]["ConfigChange"][];
            meta: {
                page: number;
                limit: number;
                count: number;
                hasnext: boolean;
            };
        };
        ConfigChange: {
            key: string;
            revision: number;
            by: string;
            at: number;
            source: string;
            change: string;
            value: components["schemas"]["StoredValue"] | null;
        };
        Partitions: {
            topic: string;
            partition: number;
            start: number;
            end: number;
            lag: number;
            committed: number | null;
        }[];
        RuleEvent: {
            event: string;
            topics: string[];
            event_type: string;
            title: {
                en: string;
            };
            description: {
                en: string;
            };
            columns: string[];
            /** @description An example and its help, by column. */
            test_columns: {
                [key: string]: [
                    unknown,
                    string
                ];
            };
            sql_example: string;
        };
        Function: {
            name: string;
            theme: string;
            signatures: string[];
            description: string;
            examples: {
                call: string;
                result: string;
            }[];
        };
        Checked: {
            errors: {
                kind?: string;
                path: string;
                reason: string;
                line?: number;
                column?: number;
            }[];
            warnings: {
                kind?: string;
                path: string;
                reason: string;
                line?: number;
                column?: number;
            }[];
        };
        Trial: {
            /** @enum {unknown} */
            outcome: "rows" | "no_result" | "not_matched" | "error";
            rows: components["schemas"]["Row"][];
            rendered: {
                action: string;
                bucket: string;
                key: string;
                content: string;
            }[][];
            error: {
                message: string;
                line?: number;
                column?: number;
            } | null;
        };
        Session: {
            session: {
                username: string;
                /** @enum {unknown} */
                role: "administrator" | "viewer";
                version: string;
            } | null;
            first: boolean;
        };
        Rows: components["schemas"]["Row"] | components["schemas"]["Row"][];
        Trace: {
            name: string;
            type: string;
            start_at: number;
            end_at: number;
            status: string;
            /** @description Bytes by node. */
            log_size: {
                [key: string]: number;
            };
            payload_encode: string;
            formatter: string;
            ruleid?: string;
            clientid?: string;
            topic?: string;
            ip_address?: string;
        };
        Backup: {
            filename: string;
            node: string;
            created_at: string;
            created_at_sec: number;
            size: number;
        };
        RuleEngine: {
            ignore_sys_message?: boolean;
            jq_function_default_timeout?: string;
        };
        TraceLog: {
            items: string;
            meta: {
                position: number;
                bytes: number;
            };
        };
        NodeStats: {
            node: string;
            "sources.count": number;
            "connectors.count": number;
            "actions.count": number;
            "rules.count": number;
            "schemas.count": number;
            "connections.count": number;
        };
        Stats: components["schemas"]["NodeStats"][] | {
            "sources.count": number;
            "connectors.count": number;
            "actions.count": number;
            "rules.count": number;
            "schemas.count": number;
            "connections.count": number;
        };
        NodeCounters: {
            node: string;
            "messages.received": number;
            "messages.sent": number;
            "messages.dropped": number;
            "bytes.received": number;
            "bytes.sent": number;
        };
        Counters: components["schemas"]["NodeCounters"][] | {
            "messages.received": number;
            "messages.sent": number;
            "messages.dropped": number;
            "bytes.received": number;
            "bytes.sent": number;
        };
        Alarm: {
            node: string;
            name: string;
            message: string;
            details: Record<string, never>;
            deactivate_at: string;
        };
        Alarms: {
            data: components["schemas"]["Alarm"][];
            meta: {
                page: number;
                limit: number;
                count: number;
                hasnext: boolean;
            };
        };
        AuditEntry: {
            /** Format: date-time */
            created_at: string;
            from: string;
            source: string;
            operation_id: string;
            operation_type: string;
            operation_name: string;
            /** @constant */
            operation_result: "success";
            revision: number;
        };
        Audit: {
            data: components["schemas"]["AuditEntry"][];
            meta: {
                page: number;
                limit: number;
                count: number;
                hasnext: boolean;
            };
        };
        Configs: {
            sources?: components["schemas"]["SourceSettings"];
            connectors?: components["schemas"]["ConnectorSettings"];
            actions?: components["schemas"]["ActionSettings"];
            rule_engine?: {
                ignore_sys_message?: boolean;
                jq_function_default_timeout?: string;
                rules?: {
                    [key: string]: components["schemas"]["Settings.Rule"];
                };
            };
            schema_registry?: {
                schemas?: {
                    [key: string]: components["schemas"]["Settings.Schema"];
                };
            };
        };
        Backups: {
            data: components["schemas"]["Backup"][];
            meta: {
                page: number;
                limit: number;
                count: number;
                hasnext: boolean;
            };
        };
        Imported: {
            objects: {
                what: string;
                key: string;
                outcome: string;
                notes: string[];
            }[];
        };
        StoppedTrace: {
            name: string;
            /** @constant */
            enable: false;
        };
        TraceSize: {
            node: string;
            size: number;
            mtime: number;
        };
        TriedRule: {
            lines: {
                level: string;
                msg: string;
                meta: components["schemas"]["TraceFacts"];
            }[];
        };
        None: unknown[];
        NoSources: {
            sources: unknown[];
        };
        /** @description A row of a rule: its columns are those of the statement. */
        Row: {
            [key: string]: unknown;
        };
        /** @description The fields of an event, `event_type` among them: what a rule can read. */
        EventFields: {
            [key: string]: unknown;
        };
        /** @description What a line of a trace tells: rule, action, input, result or reason. */
        TraceFacts: {
            [key: string]: unknown;
        };
        /** @description The settings of any kind of object, as they were written; secrets are masked. */
        StoredValue: {
            [key: string]: unknown;
        };
        JsonSchemas: {
            /** @description The name of the schema of each type. */
            types: {
                [key: string]: string;
            };
            components: {
                schemas: {
                    [key: string]: Record<string, never>;
                };
            };
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
