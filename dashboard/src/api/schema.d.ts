// Made by `make types` from the OpenAPI document of the API; CI makes it again and compares.

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
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
                value: {
                    [key: string]: unknown;
                } | null;
            };
        };
        Login: {
            token: string;
            role: string;
            version: string;
            license: {
                [key: string]: unknown;
            };
        };
        Connector: {
            type: string;
            name: string;
            enable: boolean;
            /** @enum {unknown} */
            status: "connected" | "connecting" | "disconnected" | "stopped" | "inconsistent";
            status_reason: string;
            node_status: {
                node: string;
                status: string;
                status_reason: string;
            }[];
            resource_opts: {
                [key: string]: unknown;
            };
            created_at: number;
            last_modified_at: number;
            actions: string[];
            sources: string[];
        } & {
            [key: string]: unknown;
        };
        Action: {
            type: string;
            name: string;
            enable: boolean;
            /** @enum {unknown} */
            status: "connected" | "connecting" | "disconnected" | "stopped" | "inconsistent";
            status_reason: string;
            node_status: {
                node: string;
                status: string;
                status_reason: string;
            }[];
            resource_opts: {
                [key: string]: unknown;
            };
            created_at: number;
            last_modified_at: number;
            rules: string[];
        } & {
            [key: string]: unknown;
        };
        Source: {
            type: string;
            name: string;
            enable: boolean;
            /** @enum {unknown} */
            status: "connected" | "connecting" | "disconnected" | "stopped" | "inconsistent";
            status_reason: string;
            node_status: {
                node: string;
                status: string;
                status_reason: string;
            }[];
            resource_opts: {
                [key: string]: unknown;
            };
            created_at: number;
            last_modified_at: number;
            rules: string[];
        } & {
            [key: string]: unknown;
        };
        Names: string[];
        Metrics: {
            metrics: {
                [key: string]: number;
            };
            node_metrics: {
                node: string;
                metrics: {
                    [key: string]: number;
                };
            }[];
            latency?: {
                [key: string]: unknown;
            };
        };
        RuleMetrics: {
            id?: string;
            metrics: {
                [key: string]: number;
            };
            node_metrics: {
                node: string;
                metrics: {
                    [key: string]: number;
                };
            }[];
            latency?: {
                [key: string]: unknown;
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
            value: {
                [key: string]: unknown;
            } | null;
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
            test_columns: {
                [key: string]: unknown;
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
            rows: unknown[];
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
        Rows: {
            [key: string]: unknown;
        } | {
            [key: string]: unknown;
        }[];
        Trace: {
            name: string;
            type: string;
            start_at: number;
            end_at: number;
            status: string;
            log_size: {
                [key: string]: unknown;
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
        Free: {
            [key: string]: unknown;
        };
        Numbers: {
            [key: string]: unknown;
        } | {
            [key: string]: unknown;
        }[];
        Page: {
            data: {
                [key: string]: unknown;
            }[];
            meta: {
                page: number;
                limit: number;
                count: number;
                hasnext: boolean;
            };
        };
        Things: {
            [key: string]: unknown;
        }[];
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
