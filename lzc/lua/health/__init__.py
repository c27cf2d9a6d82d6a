"""PACKAGE lzc/lua/health"""
