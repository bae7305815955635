import { noticeBoard } from "@veritick/ui";
import { defineStore } from "pinia";

/** What just happened, told once. */
export const useNotices = defineStore("notices", noticeBoard);
