// Where the page begins.
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { ApiError } from "./api/client";
import { App } from "./app";
import { apply } from "./theme";
import "./style.css";

apply();

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // A refusal is an answer: only silence is asked again.
      retry: (count, error) => error instanceof ApiError && (error.status === 0 || error.status >= 500) && count < 3,
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
