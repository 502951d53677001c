// Builds the page into the package that serves it. The files are named by their content, so that a browser keeps them for ever,
// and the same sources give the same bytes on every machine: CI builds again and compares.
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  base: "./",
  build: {
    outDir: "../pipeline/web/dashboard",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      // A page's file is named by its folder, since all of them are page.tsx.
      output: { chunkFileNames: ({ facadeModuleId, name }) => `assets/${/pages\/(\w+)\/page/.exec(facadeModuleId ?? "")?.[1] ?? name}-[hash].js` },
    },
  },
  // `npm run dev` beside `tidegate api` on its default port.
  server: { proxy: { "/api": "http://127.0.0.1:18083" } },
});
