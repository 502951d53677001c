// Where the page begins.
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError } from "./api/client";
import { App } from "./app";
import { apply } from "./theme";
import "./style.css";

const AGAIN_MS = 10_000;

apply();

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // An answer of ours says what is wrong, and is shown at once. Silence is asked again, and so is what a proxy says in our place.
      retry: (count, error) => error instanceof ApiError && !error.isAnswer && count < 3,
      // Kafka or a store that is away comes back.
      refetchInterval: ({ state: { error } }) => error instanceof ApiError && error.status === 503 && AGAIN_MS,
    },
  },
});

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no element named root");
createRoot(root).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <App />
    </QueryClientProvider>
  </StrictMode>,
);
